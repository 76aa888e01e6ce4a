"""The journal's thread: changes are accepted without waiting, written in order, and limited while they wait."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_ink.annotation import Annotation
from napari_ink.annotation.store import journal_writer
from napari_ink.annotation.store.journal import Journal
from napari_ink.annotation.store.store import JOURNAL_NAME
from napari_ink.errors import BadInputError, OutputError

SHAPE = (1100, 700)


class Stall:
    """A journal on a disk that writes nothing until a test allows it."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_over, self.sizes = threading.Event(), []
        append = journal.append

        def slow(entries: list) -> list:
            self.sizes.append(len(entries))
            assert self.is_over.wait(60)
            return append(entries)

        monkeypatch.setattr(journal, "append", slow)


@pytest.fixture
def annotation(tmp_path: Path) -> Iterator[Annotation]:
    made = Annotation(tmp_path, SHAPE, "ada")
    yield made
    made.close()


@pytest.fixture
def stall(annotation: Annotation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    monkeypatch.setattr(journal_writer, "_ENTRY_BYTES", 0)
    made = Stall(annotation._journal, monkeypatch)
    yield made
    made.is_over.set()


def draw(annotation: Annotation, number: int, value: int = 2) -> None:
    annotation.apply([("ink", 3 * number, 0, np.full((2, 5), value, np.uint8))], f"stroke {number}")


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_so()


def test_a_stroke_is_written_to_the_journal_automatically(annotation, tmp_path):
    draw(annotation, 0)
    wait_until(lambda: annotation.journalled == 1)
    assert [record.header.tool for record in Journal(tmp_path / JOURNAL_NAME).records()] == ["stroke 0"]


def test_a_stroke_is_written_to_the_journal_while_chunks_are_written(annotation, monkeypatch):
    is_writing, is_over = threading.Event(), threading.Event()
    store = annotation._chunks.store

    def slow(*arguments: object) -> None:
        is_writing.set()
        assert is_over.wait(60)
        store(*arguments)

    monkeypatch.setattr(annotation._chunks, "store", slow)
    draw(annotation, 0)
    assert is_writing.wait(20)
    draw(annotation, 1)
    wait_until(lambda: annotation.journalled == 2)
    assert not annotation.is_saved
    is_over.set()


def test_drawing_does_not_wait_for_a_slow_disk_which_is_reported(annotation, stall, monkeypatch):
    monkeypatch.setattr(journal_writer, "BUDGET_S", 0.2)
    for number in range(5):
        draw(annotation, number)
    assert annotation.undo().tool == "stroke 4"
    assert annotation.redo().tool == "stroke 4"
    assert annotation.undo().tool == "stroke 4"
    assert annotation.count("ink") == {2: 40}
    assert annotation.journalled == 0
    assert not annotation.is_saved
    wait_until(lambda: "its disk is slow" in annotation.problem)
    stall.is_over.set()
    annotation.flush()
    assert annotation.problem == ""
    assert annotation.is_saved


def test_changes_keep_their_order(annotation, stall, tmp_path):
    draw(annotation, 0)
    wait_until(lambda: stall.sizes)  # the other changes wait behind it
    for number in range(1, 40):
        draw(annotation, number)
        annotation.undo()
        annotation.redo()
    stall.is_over.set()
    annotation.flush()
    records = Journal(tmp_path / JOURNAL_NAME).records()
    assert [record.number for record in records] == list(range(1, 119))
    assert [record.kind for record in records] == ["edit", *["edit", "undo", "redo"] * 39]


def test_no_chunk_is_written_before_its_record(annotation, stall, tmp_path):
    draw(annotation, 0)
    wait_until(lambda: stall.sizes)
    time.sleep(0.6)  # chunks are written after 0.3 s
    assert not list((tmp_path / "annotation.zarr/ink").glob("c/*/*"))
    stall.is_over.set()
    annotation.flush()
    assert list((tmp_path / "annotation.zarr/ink").glob("c/*/*"))


def test_changes_that_wait_for_a_stalled_disk_are_bounded(annotation, stall, monkeypatch):
    monkeypatch.setattr(journal_writer, "_MOST_WAITING_BYTES", 10 * 20)
    monkeypatch.setattr(journal_writer, "BUDGET_S", 0.1)
    annotation.apply([("ink", 0, 100, np.full((1000, 500), 1, np.uint8))], "one large change may wait besides")
    for number in range(11):
        draw(annotation, number)
    with pytest.raises(OutputError, match="not made, because .* wait to be written"):
        draw(annotation, 11)
    with pytest.raises(OutputError, match="not made"):
        annotation.undo()
    assert annotation.undo_name == "stroke 10"
    assert annotation.count("ink")[2] == 110
    stall.is_over.set()
    annotation.flush()
    draw(annotation, 11)
    assert annotation.count("ink")[2] == 120


def test_edits_faster_than_the_disk_wait_for_space(annotation, stall, monkeypatch):
    monkeypatch.setattr(journal_writer, "_MOST_WAITING_BYTES", 10)
    monkeypatch.setattr(journal_writer, "BUDGET_S", 60.0)
    draw(annotation, 0)
    draw(annotation, 1)
    threading.Timer(0.3, stall.is_over.set).start()
    draw(annotation, 2)
    assert annotation.count("ink") == {2: 30}


def test_large_changes_are_appended_one_by_one(annotation, stall, monkeypatch):
    monkeypatch.setattr(journal_writer, "_BATCH_BYTES", 45)
    draw(annotation, 0)
    wait_until(lambda: stall.sizes)
    for number in range(1, 6):
        draw(annotation, number)
    annotation.apply([("ink", 0, 100, np.full((300, 300), 1, np.uint8))], "large")
    stall.is_over.set()
    annotation.flush()
    assert stall.sizes == [1, 2, 2, 1, 1]


_NEVER_CLOSED = """
import sys
from pathlib import Path
import numpy as np
from napari_ink.annotation import Annotation
annotation = Annotation(Path(sys.argv[1]), (1100, 700), "ada")
for number in range(200):
    annotation.apply([("ink", 3 * number, 0, np.full((2, 5), 2, np.uint8))], f"stroke {number}")
if sys.argv[2:]:
    annotation._journal.path = Path(sys.argv[2])
    annotation.apply([("ink", 900, 0, np.full((2, 5), 2, np.uint8))], "last")
"""


def test_a_program_that_ends_without_closing_writes_waiting_changes(tmp_path):
    subprocess.run([sys.executable, "-c", _NEVER_CLOSED, str(tmp_path)], check=True, timeout=60)
    assert len(Journal(tmp_path / JOURNAL_NAME).records()) == 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_program_that_ends_reports_changes_it_could_not_write(tmp_path):
    command = [sys.executable, "-c", _NEVER_CLOSED, str(tmp_path), "/dev/full"]
    ended = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert "not written" in ended.stderr
    assert "No space left" in ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_changes_nothing(annotation, tmp_path):
    draw(annotation, 0)
    annotation.flush()
    results = multiprocessing.get_context("fork").Queue()

    def edit() -> None:
        try:
            draw(annotation, 1)
        except BadInputError as error:
            results.put(str(error))

    process = multiprocessing.get_context("fork").Process(target=edit)
    process.start()
    assert "forked" in results.get(timeout=30)
    process.join(30)
    assert process.exitcode == 0
    assert len(Journal(tmp_path / JOURNAL_NAME).records()) == 1
