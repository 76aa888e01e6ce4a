"""A stroke without a window: the panels render it once, and on this thread nothing touches the disk.

Threads write the journal and the chunks (`docs/decisions/0014-annotation-store.md`).
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from napari_ink.annotation import Annotation
from napari_ink.annotation.store import chunks
from napari_ink.annotation.store.edits import CHUNK_PX
from napari_ink.errors import OutputError
from napari_ink.gui.jobs.project import read_window_job
from napari_ink.region import Region
from tests.gui.windowless import take_turns

# Calls for which Python has no audit event.
_UNREPORTED = ("stat", "lstat", "access", "fsync", "write", "replace")
_seen: list[tuple] | None = None


def _note(name: str, *arguments: Any) -> None:
    if _seen is not None and threading.current_thread() is threading.main_thread():
        _seen.append((name, *arguments[:1]))


def _hook(event: str, arguments: tuple) -> None:
    if event == "open" or event.startswith("os."):
        _note(event, *arguments)


sys.addaudithook(_hook)  # permanent, since Python has no way to remove a hook


def _noted(name: str, call: Callable) -> Callable:
    def noted(*arguments: Any, **more: Any) -> Any:
        _note(name, *arguments)
        return call(*arguments, **more)

    return noted


@contextmanager
def disk_touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple]]:
    """The accesses to the disk inside, on this thread."""
    global _seen
    with monkeypatch.context() as patch:
        for name in _UNREPORTED:
            patch.setattr(os, name, _noted(name, getattr(os, name)))
        _seen = touched = []
        try:
            yield touched
        finally:
            _seen = None


def test_a_stroke_is_rendered_once_and_touches_nothing_on_the_disk(empty_session, monkeypatch):
    session, editable, rendered = empty_session, empty_session._layers.editable, []
    session.labels._watch.stop()  # it renders once more as the stroke is saved
    session.changed.connect(rendered.append)
    with disk_touched(monkeypatch) as touched:
        for column in (20, 60):
            editable.layers["ink"].data[10:25, column : column + 15] = 2
            editable.layers["ink"].events.paint(value=[])
            take_turns()
    assert [state.counts.ink for state in rendered] == [225, 450]
    assert touched == []
    session.labels.annotation.flush()
    assert session.labels.annotation.journalled == 2


def test_the_check_notices_accesses_to_the_disk(tmp_path, monkeypatch):
    with disk_touched(monkeypatch) as touched:
        (tmp_path / "a").write_bytes(b"a")
        assert not os.path.lexists(tmp_path / "b")
        with open(tmp_path / "a", "rb") as file:
            os.fsync(file)
        thread = threading.Thread(target=(tmp_path / "c").mkdir)
        thread.start()
        thread.join()
    assert [name for name, *_ in touched] == ["open", "lstat", "open", "fsync"]


def test_a_stroke_that_the_store_refuses_disappears_with_a_message(empty_session, held_jobs, monkeypatch):
    session, layer, reported = empty_session, empty_session._layers.editable.layers["ink"], []
    layer.data[10:25, 20:35] = 2
    layer.events.paint(value=[])

    def refuse(*_: object) -> None:
        raise OutputError("This change was not made, because the disk is slow.")

    monkeypatch.setattr(session.labels.annotation, "apply", refuse)
    session.labels.failed.connect(reported.append)
    layer.data[10:25, 60:75] = 2
    layer.events.paint(value=[])
    held_jobs.work()
    take_turns()
    assert reported == ["This change was not made, because the disk is slow."]
    assert session._layers.editable.layers["ink"].data.sum() == 2 * 225


def test_the_chunks_of_the_edit_window_are_in_memory_after_it_was_read(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_KEPT_BYTES", 4 * CHUNK_PX**2)
    annotation = Annotation(tmp_path, (4 * CHUNK_PX, 4 * CHUNK_PX), "ada")
    annotation.apply([("ink", 0, 0, np.ones(annotation.shape, np.uint8))], "fill")
    annotation.close()
    annotation = Annotation(tmp_path, annotation.shape, "ada")
    list(read_window_job(annotation, Region(0, 700, 0, 300)))  # the overview has read every chunk
    with disk_touched(monkeypatch) as touched:
        annotation.apply([("ink", 500, 100, np.full((30, 30), 2, np.uint8))], "ink")
        annotation.apply([("edge", 500, 100, np.full((30, 30), 1, np.uint8))], "edge")
    assert touched == []
    annotation.close()
