"""Damaged projects: each gives one error sentence or is repaired with a note; labels are never silently wrong."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ink.annotation import Annotation, create_project, labels_of_project, open_project
from napari_ink.errors import NapariInkError, ProjectError
from napari_ink.stack import open_stack

SHAPE = (700, 600)
FILES = (
    "project.json",
    "view.json",
    "notes.json",
    "written.json",
    "journal.bin",
    ".lock",
    ".owner.json",
    "annotation.zarr/zarr.json",
    "annotation.zarr/ink/zarr.json",
    "annotation.zarr/ink/c/0/0",
    "versions/one/made",
    "versions/one/annotation.zarr/zarr.json",
    "versions/one/annotation.zarr/ink/c/0/0",
)
DEEP = b"[" * 100_000


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _deep(path: Path) -> None:
    path.write_bytes(DEEP)


def _list(path: Path) -> None:
    path.write_bytes(b"[1, 2, {}]")


def _noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 300, dtype=np.uint8).tobytes())


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _gone(path: Path) -> None:
    path.unlink()


DAMAGE = (_empty, _cut, _deep, _list, _noise, _folder, _pipe, _gone)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed project with strokes, a version, a note and a view."""
    folder = tmp_path_factory.mktemp("whole")
    np.save(folder / "piece.npy", np.zeros((2, *SHAPE), np.uint8))
    project = create_project(folder / "piece.ink", open_stack(folder / "piece.npy"), "ada")
    for number in range(4):
        project.annotation.apply([("ink", 50 * number, 20, np.full((40, 90), 1 + number % 2, np.uint8))], "brush")
    project.versions.save("one")
    project.annotation.apply([("edge", 3, 3, np.full((4, 4), 1, np.uint8))], "edge")
    project.annotation.undo()
    project.annotation.redo()
    project.notes.add(4, 5, "here", "ada")
    project.save_view({"zoom": 2.0})
    project.close()
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the closed project."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy" / "piece.ink"


def _everything(folder: Path) -> list[np.ndarray]:
    """Open a project, use all of it, and return its labels."""
    project = open_project(folder, author="ada")
    try:
        annotation = project.annotation
        planes = [annotation.read(plane, (0, SHAPE[0]), (0, SHAPE[1])) for plane in ("ink", "edge")]
        for value in (1, 2):
            assert annotation.count("ink").get(value, 0) == int((planes[0] == value).sum())
        for name in project.versions.names():
            try:
                list(project.versions.differences(name, "ink"))
            except NapariInkError as error:
                assert str(folder) in str(error)
        assert all(isinstance(note.text, str) for note in project.notes)
        assert isinstance(project.holder, str)
        if not project.read_only:
            project.notes.add(1, 1, "more", "ada")
            annotation.undo()
            annotation.redo()
        return planes
    finally:
        try:
            project.close()
        except NapariInkError:  # the project stays open and retries while the folder is in the way
            shutil.rmtree(folder / "written.json")
            project.close()
            raise


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", FILES)
def test_each_damaged_file_gives_an_error_sentence_or_is_repaired(
    folder: Path, whole: Path, name: str, damage: Callable[[Path], None]
) -> None:
    if damage is _gone and name.endswith("c/0/0"):
        pytest.skip("a missing chunk is a chunk without labels")
    expected = _everything(folder)
    damage(folder / name)
    try:
        found = _everything(folder)
    except NapariInkError as error:
        refused = ("project.json", "annotation.zarr/", "journal.bin", *(("written.json",) if damage is _folder else ()))
        assert name.startswith(refused), error
        assert len(str(error).splitlines()) == 1
        assert str(folder) in str(error) or damage is _gone
        return
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(_everything(folder), found, strict=True))


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES),
    share=st.floats(0, 1, exclude_max=True),
    data=st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from([b"-1", b"1e999", b"null", b"{}", b"[]", b'"'])),
)
def test_a_file_with_any_other_content_raises_only_our_errors(
    folder: Path, whole: Path, name: str, share: float, data: bytes
) -> None:
    shutil.rmtree(folder.parent)
    shutil.copytree(whole, folder.parent)
    content = bytearray((folder / name).read_bytes())
    at = int(share * len(content))
    content[at : at + len(data)] = data
    (folder / name).unlink()  # a version shares chunks with the labels
    (folder / name).write_bytes(content)
    try:
        _everything(folder)
    except NapariInkError as error:
        assert len(str(error)) < 1000
    with contextlib.suppress(NapariInkError):
        labels_of_project(folder)[0].read("ink", (0, SHAPE[0]), (0, SHAPE[1]))


@pytest.mark.parametrize(
    "counts", [[], {"ink": []}, {"ink": {"x": 1}}, {"ink": {"1": "many"}}, None, {"ink": {"1": 5}}]
)
def test_wrong_counts_are_recounted(folder: Path, counts: object) -> None:
    stored = json.loads((folder / "written.json").read_text())
    (folder / "written.json").write_text(json.dumps(stored | {"counts": counts}))
    project = open_project(folder, author="ada")
    assert project.annotation.count("ink") == {1: 7200, 2: 7200}
    assert "written.json" in project.warnings[0] and "counted again" in project.warnings[0]
    project.close()
    project = open_project(folder, author="ada")
    assert not project.warnings
    project.close()


def test_a_marker_of_an_earlier_release_is_read(folder: Path) -> None:
    stored = json.loads((folder / "written.json").read_text())
    del stored["crc32"]
    (folder / "written.json").write_text(json.dumps(stored))
    project = open_project(folder, author="ada")
    assert project.annotation.count("ink") == {1: 7200, 2: 7200}
    assert not project.warnings
    project.close()


def test_a_damaged_chunk_is_restored_from_the_journal(folder: Path) -> None:
    chunk = folder / "annotation.zarr/ink/c/0/0"
    good = labels_of_project(folder)[0].read("ink", (0, SHAPE[0]), (0, SHAPE[1]))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2 :] = b""
    chunk.unlink()
    chunk.write_bytes(data)
    looked_at = Annotation(folder, SHAPE, read_only=True)
    assert np.array_equal(looked_at.read("ink", (0, SHAPE[0]), (0, SHAPE[1])), good)
    assert chunk.read_bytes() == data
    project = open_project(folder, author="ada")
    assert np.array_equal(project.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1])), good)
    assert "restored from the journal" in project.warnings[0]
    project.close()
    assert (folder / "annotation.zarr.damaged" / "ink-0-0-1").read_bytes() == data
    assert np.array_equal(zarr.open_group(folder / "annotation.zarr", mode="r")["ink"][:], good)


def test_a_damaged_chunk_without_a_journal_record_is_reported(folder: Path) -> None:
    (folder / "journal.bin").unlink()
    chunk = folder / "annotation.zarr/ink/c/0/0"
    chunk.unlink()
    chunk.write_bytes(b"nothing")
    project = open_project(folder, author="ada")
    with pytest.raises(ProjectError, match=r"c/0/0 cannot be read .* restore a version"):
        project.annotation.read("ink", (0, 10), (0, 10))
    assert not project.annotation.read("ink", (600, 610), (0, 10)).any()
    project.close()
    assert chunk.read_bytes() == b"nothing"


def test_a_chunk_of_gigabytes_is_refused_before_it_is_unpacked(folder: Path) -> None:
    (folder / "journal.bin").unlink()
    chunk = folder / "annotation.zarr/ink/c/0/0"
    data = bytearray(chunk.read_bytes())
    data[4:8] = (2**31 - 1).to_bytes(4, "little")
    chunk.unlink()
    chunk.write_bytes(data)
    with pytest.raises(ProjectError, match="cannot be read"):
        Annotation(folder, SHAPE, read_only=True).read("ink", (0, 10), (0, 10))


def test_missing_label_planes_are_restored_from_the_journal(folder: Path) -> None:
    expected = _everything(folder)
    shutil.rmtree(folder / "annotation.zarr")
    project = open_project(folder, author="ada")
    assert np.array_equal(project.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1])), expected[0])
    assert project.annotation.count("ink") == {1: 7200, 2: 7200}
    assert "was missing" in project.warnings[0]
    project.close()


def test_undefined_values_are_reported_and_read_as_unreviewed(folder: Path) -> None:
    planes = zarr.open_group(folder / "annotation.zarr", mode="r+")
    planes["ink"][600:603, 0:2] = 7
    annotation, _ = labels_of_project(folder)
    assert not annotation.read("ink", (600, 603), (0, 2)).any()
    assert "unknown values (7)" in annotation.warnings[0]
    # Counted as in a release that allowed drawing them.
    stored = json.loads((folder / "written.json").read_text())
    stored["counts"]["ink"]["7"] = 6
    del stored["crc32"]
    (folder / "written.json").write_text(json.dumps(stored))
    project = open_project(folder, author="ada")
    assert "unknown values (7)" in project.warnings[0]
    assert project.annotation.count("ink") == {1: 7200, 2: 7200}
    project.close()


def test_planes_of_another_size_are_refused(folder: Path) -> None:
    metadata = folder / "annotation.zarr/ink/zarr.json"
    metadata.write_text(metadata.read_text().replace("700", "90000000"))
    with pytest.raises(ProjectError, match="its ink plane is 90000000"):
        open_project(folder)


def test_damaged_notes_are_set_aside_when_new_ones_are_saved(folder: Path) -> None:
    (folder / "notes.json").write_text('[{"y": 4, "x"')
    project = open_project(folder, author="ada")
    assert len(project.notes) == 0
    assert "notes.json" in project.warnings[0]
    project.notes.add(1, 2, "new", "ada")
    assert not project.notes.warning
    project.close()
    assert (folder / "notes.json.damaged-1").read_text() == '[{"y": 4, "x"'
    project = open_project(folder, author="ada")
    assert [note.text for note in project.notes] == ["new"]
    project.close()


def test_a_read_only_project_is_not_repaired(folder: Path) -> None:
    journal = folder / "journal.bin"
    data = bytearray(journal.read_bytes())
    data[200] ^= 1
    journal.write_bytes(data)
    project = open_project(folder, look_only=True)
    assert project.read_only and project.warnings
    project.close()
    assert journal.read_bytes() == data


@pytest.mark.parametrize("look_only", [False, True])
def test_a_missing_chunk_is_restored_from_the_journal(folder: Path, look_only: bool) -> None:
    with contextlib.closing(open_project(folder)) as project:
        project.annotation.apply([("ink", 600, 550, np.full((20, 20), 2, np.uint8))], "brush")
        project.annotation.undo()  # an empty chunk has no file, and is not reported
        was = project.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1]))
        counts = project.annotation.count("ink")
    (folder / "annotation.zarr" / "ink" / "c" / "0" / "0").unlink()
    with contextlib.closing(open_project(folder, look_only=look_only)) as project:
        np.testing.assert_array_equal(project.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1])), was)
        assert project.annotation.count("ink") == counts
        (warning,) = project.annotation.warnings
        assert "0/0 was missing; its labels were restored from the journal" in warning
    with contextlib.closing(open_project(folder)) as project:
        np.testing.assert_array_equal(project.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1])), was)
        assert bool(project.annotation.warnings) == look_only
