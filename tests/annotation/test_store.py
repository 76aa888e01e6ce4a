"""The store against a plain array with a list of snapshots."""

import json
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ink.annotation import Annotation
from napari_ink.annotation.store.store import JOURNAL_NAME, MARKER_NAME, PLANES_NAME
from napari_ink.errors import BadInputError, OutputError

SHAPE = (1100, 700)


@pytest.fixture
def annotation(tmp_path):
    """An empty annotation of several chunks."""
    made = Annotation(tmp_path, SHAPE, "ada")
    yield made
    made.close()


def _all(annotation: Annotation, plane="ink") -> np.ndarray:
    height, width = annotation.plane_shape(plane)
    return annotation.read(plane, (0, height), (0, width))


def _block(value: int, shape=(30, 40)) -> np.ndarray:
    return np.full(shape, value, np.uint8)


_STEP = st.one_of(
    st.tuples(
        st.just("apply"),
        st.sampled_from(["ink", "edge"]),
        st.integers(0, SHAPE[0] - 1),
        st.integers(0, SHAPE[1] - 1),
        st.integers(1, 700),
        st.integers(1, 500),
        st.integers(0, 2),
    ),
    st.just(("undo",)),
    st.just(("redo",)),
    st.just(("reopen",)),
    st.just(("flush",)),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEP, min_size=1, max_size=14))
def test_the_store_equals_a_plain_array_after_any_edits(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("store")
    annotation = Annotation(folder, SHAPE, "ada")
    planes = {"ink": np.zeros(SHAPE, np.uint8), "edge": np.zeros(SHAPE, np.uint8)}
    done: list[dict[str, np.ndarray]] = []
    undone: list[dict[str, np.ndarray]] = []
    for step in steps:
        match step:
            case ("apply", plane, y, x, height, width, value):
                part = slice(y, min(y + height, SHAPE[0])), slice(x, min(x + width, SHAPE[1]))
                before = {name: one.copy() for name, one in planes.items()}
                planes[plane][part] = value
                block = planes[plane][part].copy()
                edit = annotation.apply([(plane, y, x, block)], "stroke")
                assert (edit is None) == np.array_equal(before[plane], planes[plane])
                if edit is not None:
                    done.append(before)
                    undone.clear()
            case ("undo",):
                assert (annotation.undo() is not None) == bool(done)
                if done:
                    undone.append(planes)
                    planes = done.pop()
            case ("redo",):
                assert (annotation.redo() is not None) == bool(undone)
                if undone:
                    done.append(planes)
                    planes = undone.pop()
            case ("reopen",):
                annotation.close()
                annotation = Annotation(folder, SHAPE, "ada")
            case ("flush",):
                annotation.flush()
        planes = {name: one.copy() for name, one in planes.items()}
        for name, expected in planes.items():
            assert np.array_equal(_all(annotation, name), expected)
            counted = {value: int((expected == value).sum()) for value in (1, 2) if (expected == value).any()}
            assert annotation.count(name) == counted
            assert np.array_equal(annotation.overview(name, 7), expected[::7, ::7])
    annotation.close()
    stored = zarr.open_group(folder / PLANES_NAME, mode="r")
    assert np.array_equal(stored["ink"][:], planes["ink"])
    assert np.array_equal(stored["edge"][:], planes["edge"])


def test_an_edit_stores_author_tool_and_time(annotation):
    edit = annotation.apply([("ink", 500, 500, _block(2))], "brush")
    assert edit.number == 1
    assert (edit.header.author, edit.header.tool) == ("ada", "brush")
    assert edit.header.at.startswith("20")
    # Split along the chunks of 512 pixels.
    assert sorted(edit.header.bounds) == [("ink", 500, 512, 500, 512), ("ink", 500, 512, 512, 540),
                                          ("ink", 512, 530, 500, 512), ("ink", 512, 530, 512, 540)]  # fmt: skip
    assert annotation.history() == (edit.header,)


def test_values_without_a_change_are_no_edit(annotation):
    assert annotation.apply([("ink", 0, 0, _block(0))], "erase") is None
    assert not annotation.can_undo
    assert annotation.is_saved


def test_an_edit_contains_only_changed_pixels(annotation):
    values = _block(0, (400, 400))
    values[100:103, 200:205] = 2
    edit = annotation.apply([("ink", 10, 10, values)], "brush")
    assert [change.after.shape for change in edit.changes] == [(3, 5)]


def test_several_planes_are_one_step(annotation):
    annotation.apply([("ink", 0, 0, _block(2)), ("edge", 5, 5, _block(1)), ("review", 0, 0, _block(2, (1, 1)))], "fill")
    annotation.undo()
    assert not any(_all(annotation, plane).any() for plane in ("ink", "edge", "review"))
    assert annotation.count("review") == {}


def test_undo_reaches_hundreds_of_steps_back_after_reopening(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for number in range(300):
        annotation.apply([("ink", 3 * number, number, _block(1 + number % 2, (2, 5)))], f"stroke {number}")
    annotation.close()
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for number in reversed(range(300)):
        assert annotation.undo_name == f"stroke {number}"
        annotation.undo()
    assert not _all(annotation).any()
    assert annotation.undo() is None
    annotation.close()


def test_values_for_undo_are_in_memory_for_the_last_steps_only(annotation):
    for number in range(100):
        annotation.apply([("ink", 0, 0, np.random.default_rng(number).integers(0, 3, (500, 500), dtype=np.uint8))], "x")
    annotation.flush()
    steps = annotation._history.undo
    in_memory = [step.edit is not None for step in steps]
    assert in_memory == sorted(in_memory) and in_memory[-1] and not in_memory[0]
    changes = [change for step in steps if step.edit is not None for change in step.edit.changes]
    assert 30 * 2**20 < sum(change.before.nbytes + change.after.nbytes for change in changes) <= 32 * 2**20


def test_a_step_that_is_not_in_memory_is_prepared_and_then_taken(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 3, 4, _block(2, (2, 5)))], "first")
    annotation.apply([("ink", 30, 4, _block(1, (2, 5)))], "second")
    assert annotation.is_in_memory("undo") and annotation.is_in_memory("redo")
    annotation.close()
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert not annotation.is_in_memory("undo")
    assert annotation.next_number("undo") == 2
    annotation.prepare("undo")
    assert annotation.is_in_memory("undo")
    assert annotation.undo().header.tool == "second"
    assert not annotation.is_in_memory("undo") and annotation.is_in_memory("redo")
    assert annotation.next_number("redo") == 2 and annotation.redo().header.tool == "second"
    annotation.undo()
    annotation.undo()
    annotation.prepare("undo")
    assert annotation.next_number("undo") == 0 and annotation.undo() is None
    assert not _all(annotation).any()
    annotation.close()


def test_only_chunks_that_changed_are_written(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2, SHAPE))], "fill")
    annotation.flush()
    chunks = sorted((tmp_path / PLANES_NAME / "ink" / "c").glob("*/*"))
    assert len(chunks) == 6
    before = {path: path.stat().st_mtime_ns for path in chunks}
    annotation.apply([("ink", 600, 600, _block(1))], "brush")
    annotation.close()
    assert [path.parent.name + path.name for path in chunks if path.stat().st_mtime_ns != before[path]] == ["11"]


def test_a_stroke_is_saved_automatically(annotation, tmp_path):
    annotation.apply([("ink", 0, 0, _block(2))], "brush")
    deadline = time.monotonic() + 20  # generous: the test is that it happens, not how fast
    while not annotation.is_saved and time.monotonic() < deadline:
        time.sleep(0.02)
    assert zarr.open_group(tmp_path / PLANES_NAME, mode="r")["ink"][10, 10] == 2


def test_a_torn_record_is_removed(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2))], "first")
    annotation.apply([("ink", 100, 0, _block(2))], "second")
    annotation.close()
    journal = tmp_path / JOURNAL_NAME
    whole = journal.stat().st_size
    with journal.open("ab") as file:
        file.write(b"\x20\x00\x00\x00\xff\x00\x00\x00half a rec")
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert journal.stat().st_size == whole
    assert [header.tool for header in annotation.history()] == ["first", "second"]
    annotation.apply([("ink", 200, 0, _block(2))], "third")
    annotation.close()
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert [header.tool for header in annotation.history()] == ["first", "second", "third"]
    annotation.close()


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_records_before_the_end_of_a_truncated_journal_count(tmp_path, cut):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2))], "first")
    annotation.flush()
    # As if killed before the chunks and their marker were written.
    marker = (tmp_path / MARKER_NAME).read_bytes()
    annotation.apply([("ink", 100, 0, _block(1))], "second")
    annotation.close()
    (tmp_path / MARKER_NAME).write_bytes(marker)
    journal = tmp_path / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes()[:-cut])
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert [header.tool for header in annotation.history()] == ["first"]
    assert annotation.count("ink") == {2: 1200}
    annotation.close()


def test_edits_missing_from_the_chunks_are_restored_from_the_journal(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2))], "first")
    annotation.close()
    folders = tmp_path / PLANES_NAME / "ink" / "c"
    old = {path: path.read_bytes() for path in folders.glob("*/*")}
    marker = (tmp_path / MARKER_NAME).read_bytes()
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 20, _block(1))], "second")
    annotation.undo()
    annotation.redo()
    expected, counts = _all(annotation), annotation.count("ink")
    annotation.close()
    for path in folders.glob("*/*"):
        path.write_bytes(old[path])
    (tmp_path / MARKER_NAME).write_bytes(marker)
    looked_at = Annotation(tmp_path, SHAPE, "bob", read_only=True)
    assert np.array_equal(_all(looked_at), expected)
    assert (tmp_path / MARKER_NAME).read_bytes() == marker  # read-only projects are not repaired
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert np.array_equal(_all(annotation), expected)
    assert annotation.count("ink") == counts
    annotation.close()
    assert json.loads((tmp_path / MARKER_NAME).read_text())["through"] == 4


def test_a_large_journal_drops_its_oldest_values_but_not_their_authors_and_times(tmp_path):
    rng = np.random.default_rng(0)
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for number in range(40):
        annotation.apply([("ink", 0, 0, rng.integers(0, 3, (200, 200), dtype=np.uint8))], f"stroke {number}")
    expected = _all(annotation)
    annotation.close()
    before = (tmp_path / JOURNAL_NAME).stat().st_size
    annotation = Annotation(tmp_path, SHAPE, "ada", journal_bytes=before // 2)
    assert (tmp_path / JOURNAL_NAME).stat().st_size < before // 2
    assert [header.tool for header in annotation.history()] == [f"stroke {number}" for number in range(40)]
    assert np.array_equal(_all(annotation), expected)
    steps = 0
    while annotation.undo() is not None:
        steps += 1
    assert 5 <= steps < 40
    while annotation.redo() is not None:
        pass
    assert np.array_equal(_all(annotation), expected)
    annotation.close()


def test_a_read_only_store_refuses_changes_and_writes_nothing(tmp_path):
    Annotation(tmp_path, SHAPE, "ada").close()
    before = sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    annotation = Annotation(tmp_path, SHAPE, "bob", read_only=True)
    with pytest.raises(BadInputError, match="reading only"):
        annotation.apply([("ink", 0, 0, _block(2))], "brush")
    with pytest.raises(BadInputError, match="reading only"):
        annotation.undo()
    annotation.close()
    assert sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("y", "x"), [(-1, 0), (0, -1), (SHAPE[0] - 29, 0), (0, SHAPE[1] - 39)])
def test_a_block_partly_outside_the_segment_is_refused_as_a_whole(annotation, y, x):
    with pytest.raises(ValueError, match="leaves the ink plane"):
        annotation.apply([("ink", 0, 0, _block(1)), ("ink", y, x, _block(2))], "brush")
    assert not _all(annotation).any()
    assert not annotation.can_undo


def test_reading_outside_is_refused(annotation):
    with pytest.raises(ValueError, match="leaves"):
        annotation.read("ink", (0, SHAPE[0] + 1), (0, 10))


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions of folders")
def test_a_failed_write_loses_nothing(tmp_path, monkeypatch):
    from napari_ink.annotation.store import journal_writer, writer

    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.05)
    if os.geteuid() == 0:
        pytest.skip("root can write everywhere")
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2))], "first")
    annotation.flush()
    _close_folders(tmp_path, True)
    try:
        annotation.apply([("ink", 50, 0, _block(2))], "second")
        _wait(lambda: annotation.problem)
        assert "cannot be saved" in annotation.problem
        assert not annotation.is_saved
        assert annotation.count("ink") == {2: 2400}
    finally:
        _close_folders(tmp_path, False)
    _wait(lambda: annotation.is_saved)
    assert annotation.problem == ""
    annotation.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    from napari_ink.annotation.store import journal_writer, writer

    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.05)
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, _block(2))], "first")
    annotation.flush()
    journal = annotation._journal.path
    annotation._journal.path = Path("/dev/full")
    annotation.apply([("ink", 50, 0, _block(2))], "second")
    _wait(lambda: annotation.problem)
    assert "No space left" in annotation.problem
    assert not annotation.is_saved
    with pytest.raises(BadInputError, match="No space left"):
        annotation.close()
    annotation._journal.path = journal
    _wait(lambda: annotation.is_saved)
    expected = _all(annotation)
    annotation.close()
    annotation = Annotation(tmp_path, SHAPE, "ada")
    assert np.array_equal(_all(annotation), expected)
    assert annotation.undo_name == "second"
    annotation.close()


def _wait(until) -> None:
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert until()


def _close_folders(folder: Path, closed: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(stat.S_IRUSR | stat.S_IXUSR | (0 if closed else stat.S_IWUSR))
        elif path.name == JOURNAL_NAME:
            path.chmod(stat.S_IRUSR | (0 if closed else stat.S_IWUSR))


def test_an_unexpected_codec_error_is_reported_and_saving_continues(annotation, monkeypatch):
    def fail(*_):
        raise RuntimeError("the codec broke")

    with monkeypatch.context() as patch:
        patch.setattr(annotation._chunks, "store", fail)
        annotation.apply([("ink", 0, 0, np.ones((4, 4), np.uint8))], "ink")
        with pytest.raises(OutputError, match="the codec broke"):
            annotation.flush(20)
    _wait(lambda: annotation.is_saved)


def test_closing_saves_once_an_error_is_resolved(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    (tmp_path / MARKER_NAME).mkdir()
    annotation.apply([("ink", 0, 0, _block(2))], "ink")
    with pytest.raises(OutputError, match="cannot be saved"):
        annotation.close()
    (tmp_path / MARKER_NAME).rmdir()
    annotation.close()
    assert Annotation(tmp_path, SHAPE, "ada", read_only=True).count("ink") == {2: 1200}
