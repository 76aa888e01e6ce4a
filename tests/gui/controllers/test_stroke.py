"""A stroke without a window: the panels render it once, and of the disk it touches the journal only, once.

The journal is appended to before `apply` returns, so that a program that is killed cannot lose a finished stroke
(`docs/decisions/0026-house.md`); chunks are written on a thread.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.gui.windowless import take_turns

_TOUCHES = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove")
_seen: list[tuple] | None = None


def _hook(event: str, arguments: tuple) -> None:
    if _seen is not None and event in _TOUCHES and threading.current_thread() is threading.main_thread():
        _seen.append((event, arguments[0]))


sys.addaudithook(_hook)  # for good: Python offers no way to remove one


@contextmanager
def disk_touched() -> Iterator[list[tuple]]:
    """What of the disk is touched inside, on this thread."""
    global _seen
    _seen = touched = []
    try:
        yield touched
    finally:
        _seen = None


@pytest.fixture
def labelled_session(open_session, held_jobs):
    open_session.labelling.make_editable()
    held_jobs.work()
    take_turns()
    return open_session


def test_a_stroke_is_rendered_once_and_touches_nothing_on_the_disk_but_the_journal(labelled_session):
    session, editable, rendered = labelled_session, labelled_session._layers.editable, []
    session.labels._watch.stop()  # which renders once more as the stroke is saved
    session.changed.connect(rendered.append)
    with disk_touched() as touched:
        for column in (20, 60):
            editable.layers["ink"].data[10:25, column : column + 15] = 2
            editable.layers["ink"].events.paint(value=[])
            take_turns()
    assert [state.counts.ink for state in rendered] == [225, 450]
    assert touched == [("open", str(session.labels.project.folder / "journal.bin"))] * 2
