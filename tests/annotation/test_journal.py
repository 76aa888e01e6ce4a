"""A damaged journal loses only its damaged records, and reports every loss."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ink.annotation import Annotation
from napari_ink.annotation.store import writer
from napari_ink.annotation.store.edits import PLANES, Change, Edit, EditHeader
from napari_ink.annotation.store.journal import Journal
from napari_ink.annotation.store.journal_scan import MAGIC
from napari_ink.annotation.store.marker import Marker, write_marker
from napari_ink.annotation.store.store import JOURNAL_NAME, MARKER_NAME
from napari_ink.errors import BadInputError, ProjectError

SHAPE = (700, 600)


def _edit(number: int) -> Edit:
    before, after = np.zeros((2, 3), np.uint8), np.full((2, 3), 1 + number % 2, np.uint8)
    header = EditHeader(number, f'"tool" {number}', "ada", "2026-01-01", (("ink", 5, 7, number, number + 3),))
    return Edit(header, (Change("ink", 5, number, before, after),))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Five edits, of which one was undone and redone."""
    made = Journal(tmp_path / JOURNAL_NAME)
    made.append([(number, "edit", _edit(number)) for number in range(1, 6)])
    made.append([(6, "undo", _edit(5)), (7, "redo", _edit(5))])
    return made


def test_a_flipped_bit_loses_only_its_own_record(journal: Journal) -> None:
    good = journal.path.read_bytes()
    records = journal.records()
    ends = [record.offset + record.size for record in records]
    for place in range(len(good)):
        own = next(number for number, end in enumerate(ends, 1) if place < end)
        for bit in range(8):
            data = bytearray(good)
            data[place] ^= 1 << bit
            journal.path.write_bytes(data)
            numbers = [record.number for record in journal.records()]
            lost = set(range(1, 8)) - set(numbers)
            assert numbers == sorted(numbers) and lost <= {own}, (place, bit)
            assert bool(lost) <= bool(journal.lost)  # reported
            assert journal.damage and not any(one.is_torn for one in journal.damage)
            if place < len(MAGIC):
                assert not lost


def test_a_damaged_part_is_set_aside_and_the_rest_is_read(journal: Journal) -> None:
    good, records = journal.path.read_bytes(), journal.records()
    data = bytearray(good)
    for place in (3, records[1].offset + 2, records[6].offset - 5):  # the magic number, an edit's values, the last head
        data[place] ^= 16
    journal.path.write_bytes(data)
    found = journal.records()
    assert [record.number for record in found] == [1, 3, 4, 5, 6]
    aside = journal.mend(found)
    assert aside is not None and aside.name == "journal.bin.damaged-1"
    for start, end in (
        (0, len(MAGIC)),
        (records[0].offset + records[0].size, records[1].offset + records[1].size),
        (records[5].offset, len(data)),
    ):
        assert bytes(data[start:end]) in aside.read_bytes()
    mended = journal.records()
    assert not journal.damage
    assert [record.number for record in mended] == [1, 3, 4, 5, 6]
    for record in mended[:4]:
        values = journal.read(record.header, record.offset, record.size)
        assert np.array_equal(values.changes[0].after, _edit(record.number).changes[0].after)
    assert journal.mend(mended) is None


@pytest.mark.parametrize("field", [0, 4])
def test_a_wrong_length_loses_nothing(journal: Journal, field: int) -> None:
    good, records = journal.path.read_bytes(), journal.records()
    for before in (records[0], records[-2]):
        for length in (0, 7, 2**31):
            data = bytearray(good)
            struct.pack_into("<I", data, before.offset + before.size + field, length)
            journal.path.write_bytes(data)
            found = journal.records()
            assert [record.number for record in found] == list(range(1, 8))
            assert journal.mend(found) is None
            assert journal.path.read_bytes() == good


def test_a_truncated_journal_has_a_torn_end_and_no_other_damage(journal: Journal) -> None:
    good = journal.path.read_bytes()
    ends = [record.offset + record.size for record in journal.records()]
    for length in range(len(good)):
        journal.path.write_bytes(good[:length])
        found = journal.records()
        assert len(found) == sum(end <= length for end in ends)
        assert not journal.lost
        assert journal.mend(found) is None
        journal.append([(99, "edit", _edit(99))])
        assert [record.number for record in journal.records()][-1] == 99


@pytest.mark.parametrize("stray", [1, 2, 5, 11, 12, 13, 40])
def test_stray_bytes_between_records_lose_nothing(journal: Journal, stray: int) -> None:
    good, second = journal.path.read_bytes(), journal.records()[1]
    at = second.offset + second.size
    journal.path.write_bytes(good[:at] + b"\x07" * stray + good[at:])
    found = journal.records()
    assert [record.number for record in found] == list(range(1, 8))
    assert len(journal.lost) == 1
    journal.mend(found)
    assert journal.path.read_bytes() == good


def test_zeros_after_a_power_cut_count_as_a_torn_end(journal: Journal) -> None:
    good = journal.path.read_bytes()
    journal.path.write_bytes(good + bytes(5000))
    assert len(journal.records()) == 7
    assert not journal.lost


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), cut=st.integers(0, 400), at=st.integers(0, 700))
def test_whole_records_survive_any_overwritten_bytes(journal: Journal, data: bytes, cut: int, at: int) -> None:
    fresh = Journal(journal.path.with_name("fresh"))
    fresh.append([(number, "edit", _edit(number)) for number in range(1, 6)])
    records, good = fresh.records(), fresh.path.read_bytes()
    at = min(at, len(good))
    fresh.path.write_bytes(good[:at] + data + good[at + cut :])
    starts = [len(MAGIC), *(one.offset + one.size for one in records)]
    whole = {number for number in range(1, 6) if starts[number] <= at or (starts[number - 1] >= at + cut)}
    assert whole <= {record.number for record in fresh.records()}
    fresh.path.unlink()


def _record(content: object, body: bytes = b"") -> bytes:
    head = json.dumps(content, separators=(",", ":")).encode()
    return struct.pack("<III", len(head), len(body), zlib.crc32(body, zlib.crc32(head))) + head + body


_EDIT = {"number": 1, "kind": "edit", "tool": "a", "author": "b", "at": "c", "bounds": [["ink", 0, 1, 0, 1]]}


@pytest.mark.parametrize(
    "content",
    [
        {**_EDIT, "number": "one"},
        {**_EDIT, "number": 1.5},
        {**_EDIT, "number": True},
        {**_EDIT, "number": 10**400},
        {**_EDIT, "tool": 7},
        {**_EDIT, "bounds": None},
        {**_EDIT, "bounds": [["ink", 0, 1]]},
        {**_EDIT, "bounds": [["sky", 0, 1, 0, 1]]},
        {**_EDIT, "bounds": [["ink", 5, 1, 0, 1]]},
        {**_EDIT, "bounds": [["ink", 0, 100000, 0, 100000]]},
        {"number": 1, "kind": "undo", "of": "all"},
        {"number": 1, "kind": "shout"},
        {"number": 1, "kind": ["edit"]},
        {"number": 1},
        [],
        3,
    ],
)
def test_a_head_with_invalid_content_counts_as_damage(tmp_path: Path, content: object) -> None:
    journal = Journal(tmp_path / JOURNAL_NAME)
    journal.path.write_bytes(MAGIC + _record(content) + _record({**_EDIT, "number": 2}))
    assert [record.number for record in journal.records()] == [2]
    assert len(journal.lost) == 1


def test_a_file_that_imitates_millions_of_records_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL_NAME)
    fake = struct.pack("<III", 20, 2**20, 7) + b'{"number":'
    journal.path.write_bytes(MAGIC + fake * 200_000)
    assert journal.records() == []
    assert journal.lost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Closed labels with six strokes, each of another tool."""
    annotation = Annotation(tmp_path / "piece.ink", SHAPE, "ada")
    for number in range(6):
        annotation.apply([("ink", 40 * number, 30, np.full((60, 50), 1 + number % 2, np.uint8))], f"stroke {number}")
    annotation.close()
    return tmp_path / "piece.ink"


def _ink(annotation: Annotation) -> np.ndarray:
    return annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1]))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_labels_stay_right_and_undo_stops_at_the_gap(folder: Path, share: float, bit: int) -> None:
    copy = folder.with_name("copy.ink")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    expected = _ink(Annotation(folder, SHAPE, read_only=True))
    data = bytearray((copy / JOURNAL_NAME).read_bytes())
    data[int(share * len(data))] ^= 1 << bit
    (copy / JOURNAL_NAME).write_bytes(data)
    looked_at = Annotation(copy, SHAPE, read_only=True)
    assert np.array_equal(_ink(looked_at), expected)
    assert (copy / JOURNAL_NAME).read_bytes() == data  # read-only projects are not repaired
    annotation = Annotation(copy, SHAPE, "ada")
    assert np.array_equal(_ink(annotation), expected)
    kept = [int(header.tool[-1]) for header in annotation.history()]
    missing = set(range(6)) - set(kept)
    assert len(missing) <= 1
    if missing:
        (warning,) = annotation.warnings
        assert "one change in it cannot be read" in warning and "The labels are complete" in warning
        assert (copy / "journal.bin.damaged-1").exists() and "journal.bin.damaged-1" in warning
    undone = []
    while annotation.can_undo:
        undone.append(int(annotation.undo_name[-1]))
        annotation.undo()
    assert undone == [number for number in reversed(range(6)) if number > max(missing, default=-1)]
    while annotation.can_redo:
        annotation.redo()
    assert np.array_equal(_ink(annotation), expected)
    annotation.apply([("ink", 300, 300, np.full((5, 5), 2, np.uint8))], "later 9")
    expected[300:305, 300:305] = 2
    annotation.close()
    annotation = Annotation(copy, SHAPE, "ada")
    assert not annotation.warnings
    assert np.array_equal(_ink(annotation), expected)
    counted = {value: int((expected == value).sum()) for value in (1, 2)}
    assert annotation.count("ink") == counted
    annotation.undo()
    assert annotation.undo_name != "" or 5 in missing
    annotation.close()


def test_a_crash_and_a_flipped_bit_lose_only_the_damaged_change(folder: Path) -> None:
    """The chunks lack edits of the journal, and one record of it is damaged."""
    chunk, marker = folder / "annotation.zarr/ink/c/0/0", folder / MARKER_NAME
    old = chunk.read_bytes(), marker.read_bytes()
    annotation = Annotation(folder, SHAPE, "ada")
    expected = _ink(annotation)
    for number in range(3):
        annotation.apply([("ink", 400, 100 * number, np.full((9, 9), 2, np.uint8))], f"new {number}")
    annotation.close()
    chunk.write_bytes(old[0])
    marker.write_bytes(old[1])
    journal = Journal(folder / JOURNAL_NAME)
    data = bytearray(journal.path.read_bytes())
    data[journal.records()[-2].offset + 3] ^= 1
    journal.path.write_bytes(data)
    annotation = Annotation(folder, SHAPE, "ada")
    expected[400:409, :9] = expected[400:409, 200:209] = 2
    assert np.array_equal(_ink(annotation), expected)
    assert annotation.count("ink") == {value: int((expected == value).sum()) for value in (1, 2)}
    assert "The last strokes may be missing" in annotation.warnings[0]
    annotation.undo()
    assert not annotation.can_undo
    annotation.close()


@pytest.mark.parametrize("lost", range(3))
def test_a_crash_among_the_first_chunks_and_a_flipped_bit_lose_only_the_damaged_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    markers: list[Marker] = []

    def watched(path: Path, marker: Marker) -> None:
        markers.append(marker)
        write_marker(path, marker)

    monkeypatch.setattr(writer, "write_marker", watched)
    places = [(0, 0), (0, 550), (600, 0)]  # a chunk each
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for y, x in places:
        annotation.apply([("ink", y, x, np.full((9, 9), 2, np.uint8))], "ink")
    annotation.close()
    # The state after a crash at the first of three chunks: the marker is still the previous one.
    write_marker(tmp_path / MARKER_NAME, markers[0])
    chunks = sorted(one for one in (tmp_path / "annotation.zarr/ink/c").rglob("*") if one.is_file())
    for chunk in chunks[1:]:
        chunk.unlink()
    journal = Journal(tmp_path / JOURNAL_NAME)
    data = bytearray(journal.path.read_bytes())
    data[journal.records()[lost].offset + 3] ^= 1
    journal.path.write_bytes(data)
    annotation = Annotation(tmp_path, SHAPE, "ada")
    drawn = [bool((_ink(annotation)[y : y + 9, x : x + 9] == 2).all()) for y, x in places]
    assert len(chunks) == 3 and all(found for number, found in enumerate(drawn) if number != lost)
    assert annotation.count("ink") == {2: sum(drawn) * 81}
    annotation.close()


@pytest.mark.parametrize("lost", range(3))
def test_a_crash_before_the_first_chunk_and_a_flipped_bit_lose_only_the_damaged_change(
    tmp_path: Path, lost: int
) -> None:
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for number in range(3):
        annotation.apply([("ink", 400, 100 * number, np.full((9, 9), 2, np.uint8))], f"new {number}")
    annotation.close()
    shutil.rmtree(tmp_path / "annotation.zarr/ink/c")
    (tmp_path / MARKER_NAME).unlink()
    journal = Journal(tmp_path / JOURNAL_NAME)
    data = bytearray(journal.path.read_bytes())
    data[journal.records()[lost].offset + 3] ^= 1
    journal.path.write_bytes(data)
    annotation = Annotation(tmp_path, SHAPE, "ada")
    drawn = [bool((_ink(annotation)[400:409, 100 * number : 100 * number + 9] == 2).all()) for number in range(3)]
    assert drawn == [number != lost for number in range(3)]
    assert annotation.count("ink") == {2: 2 * 81}
    assert "The last strokes may be missing" in annotation.warnings[0]
    annotation.close()


def test_a_truncated_journal_is_reported(folder: Path) -> None:
    journal = folder / JOURNAL_NAME
    whole = journal.read_bytes()
    journal.write_bytes(whole[: len(whole) // 2])
    annotation = Annotation(folder, SHAPE, "ada")
    assert "truncated" in annotation.warnings[-1]
    assert not annotation.can_undo
    aside = [path.read_bytes() for path in folder.glob("journal.bin.damaged-*")]
    assert all(whole[: len(whole) // 2].endswith(one.split(b":\n", 1)[1].rstrip(b"\n")) for one in aside)
    annotation.apply([("ink", 600, 0, np.full((5, 5), 2, np.uint8))], "later")
    annotation.close()
    annotation = Annotation(folder, SHAPE, "ada")
    annotation.undo()
    assert not annotation.can_undo
    annotation.close()


def test_undo_ends_at_a_lost_edit(tmp_path: Path) -> None:
    annotation = Annotation(tmp_path / "a.ink", SHAPE, "ada")
    for value in (1, 2):
        annotation.apply([("ink", 0, 0, np.full((9, 9), value, np.uint8))], f"value {value}")
    annotation.undo()
    expected = _ink(annotation)
    annotation.close()
    journal = Journal(tmp_path / "a.ink" / JOURNAL_NAME)
    data = bytearray(journal.path.read_bytes())
    data[journal.records()[1].offset] ^= 1
    journal.path.write_bytes(data)
    annotation = Annotation(tmp_path / "a.ink", SHAPE, "ada")
    assert np.array_equal(_ink(annotation), expected)
    assert not annotation.can_undo and not annotation.can_redo
    annotation.close()


def test_undefined_values_are_never_stored(tmp_path: Path) -> None:
    annotation = Annotation(tmp_path, SHAPE, "ada")
    for plane in PLANES:
        with pytest.raises(BadInputError, match="not a value"):
            annotation.apply([(plane, 0, 0, np.full((1, 1), 7, np.uint8))], "brush")
    assert annotation.apply([("review", 0, 0, np.full((1, 1), 3, np.uint8))], "flag") is not None
    annotation.close()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_another_kind_of_file_in_place_of_the_journal_is_refused(folder: Path, kind: str) -> None:
    import os

    journal = folder / JOURNAL_NAME
    journal.unlink()
    journal.mkdir() if kind == "folder" else os.mkfifo(journal)
    with pytest.raises(ProjectError, match="not a regular file"):
        Annotation(folder, SHAPE, "ada")
