"""Versions: snapshots that stay as they are whatever is drawn afterwards."""

import errno
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ink.annotation import create_project, open_project
from napari_ink.annotation import versions as module
from napari_ink.annotation.edits import PLANES
from napari_ink.annotation.store import PLANES_NAME
from napari_ink.annotation.versions import difference, restore_version, save_version, version_plane, versions
from napari_ink.errors import BadInputError, OutputError, ProjectError
from napari_ink.stack import open_stack

SHAPE = (1100, 700)


def make(folder: Path):
    np.save(folder / "seg.npy", np.zeros((2, *SHAPE), np.uint8))
    return create_project(folder / "seg.ink", open_stack(folder / "seg.npy"), "ada")


@pytest.fixture
def project(tmp_path):
    """An empty project of several chunks."""
    made = make(tmp_path)
    yield made
    made.close()


def draw(project, value: int, y: int = 0, x: int = 0, shape=(30, 40), plane="ink") -> None:
    project.annotation.apply([(plane, y, x, np.full(shape, value, np.uint8))], "brush")


def now(project) -> dict[str, np.ndarray]:
    shapes = {plane: project.annotation.plane_shape(plane) for plane in PLANES}
    return {plane: project.annotation.read(plane, (0, h), (0, w)) for plane, (h, w) in shapes.items()}


def then(project, name: str) -> dict[str, np.ndarray]:
    shapes = {plane: project.annotation.plane_shape(plane) for plane in PLANES}
    return {plane: version_plane(project, name, plane, (0, h), (0, w)) for plane, (h, w) in shapes.items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[plane], other[plane]) for plane in PLANES)


_BLOCK = st.tuples(
    st.sampled_from(["ink", "edge"]), st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1),
    st.integers(1, 600), st.integers(1, 500), st.integers(0, 2),
)  # fmt: skip


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(_BLOCK, max_size=4), second=st.lists(_BLOCK, max_size=4))
def test_a_version_stays_differs_where_labels_do_and_comes_back_whole(tmp_path_factory, first, second):
    project = make(tmp_path_factory.mktemp("project"))
    for plane, y, x, height, width, value in first:
        draw(project, value, y, x, (min(height, SHAPE[0] - y), min(width, SHAPE[1] - x)), plane)
    kept, counts = now(project), {plane: project.annotation.count(plane) for plane in PLANES}
    assert save_version(project, "first").counts == counts
    for plane, y, x, height, width, value in second:
        draw(project, value, y, x, (min(height, SHAPE[0] - y), min(width, SHAPE[1] - x)), plane)
    project.annotation.flush()
    later = now(project)
    assert same(then(project, "first"), kept)
    for plane in PLANES:
        patched = kept[plane].copy()
        for change in difference(project, "first", plane):
            part = (
                slice(change.y, change.y + change.after.shape[0]),
                slice(change.x, change.x + change.after.shape[1]),
            )
            assert np.array_equal(patched[part], change.before)
            # No row or column at the border of a block is the same in both.
            differs = change.before != change.after
            assert all(line.any() for line in (differs[0], differs[-1], differs[:, 0], differs[:, -1]))
            patched[part] = change.after
        assert np.array_equal(patched, later[plane])
    edit = restore_version(project, "first")
    assert (edit is None) == same(kept, later)
    assert same(now(project), kept)
    assert {plane: project.annotation.count(plane) for plane in PLANES} == counts
    if edit is not None:
        project.annotation.undo()
        assert same(now(project), later)
    project.close()


def test_versions_say_who_when_and_what_and_come_oldest_first(project):
    draw(project, 2)
    save_version(project, "zebra")
    draw(project, 1, y=600)
    draw(project, 1, plane="review", shape=(1, 1))
    saved = save_version(project, "ant")
    found = versions(project)
    assert [version.name for version in found] == ["zebra", "ant"]
    assert found[1] == saved
    assert (saved.author, saved.number) == ("ada", 3)
    assert saved.counts == {"ink": {1: 1200, 2: 1200}, "edge": {}, "review": {1: 1}}
    assert found[0].at <= found[1].at


def test_versions_are_there_after_reopening_and_for_who_only_looks(project):
    draw(project, 2)
    save_version(project, "first")
    looking = open_project(project.folder, author="bob")
    assert [version.name for version in versions(looking)] == ["first"]
    assert same(then(looking, "first"), now(project))
    with pytest.raises(BadInputError, match="reading only"):
        save_version(looking, "second")
    with pytest.raises(BadInputError, match="reading only"):
        draw(looking, 1)
    looking.close()


def test_going_back_is_one_step_in_the_history(project):
    draw(project, 2)
    save_version(project, "first")
    draw(project, 1, y=500, x=500)
    draw(project, 1, plane="edge")
    restore_version(project, "first")
    assert project.annotation.undo_name == "restore first"
    assert restore_version(project, "first") is None


def test_a_version_takes_no_room_until_labels_change_and_any_reader_opens_it(project):
    draw(project, 2, shape=SHAPE)
    save_version(project, "first")
    chunk = Path(PLANES_NAME) / "ink" / "c" / "0" / "0"
    assert os.path.samefile(project.folder / chunk, project.folder / "versions" / "first" / chunk)
    draw(project, 1)
    project.annotation.flush()
    assert not os.path.samefile(project.folder / chunk, project.folder / "versions" / "first" / chunk)
    stored = zarr.open_group(project.folder / "versions" / "first" / PLANES_NAME, mode="r")
    assert (stored["ink"][:] == 2).all()


def test_without_links_chunks_are_copied(project, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    draw(project, 2)
    kept = now(project)
    save_version(project, "first")
    draw(project, 1)
    project.annotation.flush()
    assert same(then(project, "first"), kept)


def test_a_version_saved_while_somebody_draws_is_one_moment(project):
    """Ink and edges are always drawn together; in no version do they differ."""
    stop = threading.Event()

    def scribble() -> None:
        rng = np.random.default_rng(0)
        while not stop.wait(rng.uniform(0, 0.1)):
            y, x, value = int(rng.integers(SHAPE[0] - 60)), int(rng.integers(SHAPE[1] - 60)), int(rng.integers(0, 3))
            values = np.full((60, 60), value, np.uint8)
            project.annotation.apply([("ink", y, x, values), ("edge", y, x, values)], "both")

    worker = threading.Thread(target=scribble)
    worker.start()
    saved = 0
    try:
        for number in range(6):
            try:
                version = save_version(project, f"v{number}")
            except OutputError:  # it was drawn too fast, which is said, and nothing is left behind
                continue
            planes = then(project, version.name)
            assert np.array_equal(planes["ink"], planes["edge"])
            values, pixels = np.unique(planes["ink"], return_counts=True)
            found = {int(value): int(n) for value, n in zip(values, pixels, strict=True) if value}
            assert found == version.counts["ink"] == version.counts["edge"]
            saved += 1
    finally:
        stop.set()
        worker.join()
    assert len(versions(project)) == saved
    assert saved


def test_labels_that_change_all_the_time_are_not_saved_as_a_mixture(project, monkeypatch):
    link = module._link_tree

    def draw_meanwhile(source: Path, target: Path) -> None:
        link(source, target)
        if target.name == PLANES_NAME:
            draw(project, 1 + project.annotation.journalled % 2)

    monkeypatch.setattr(module, "_link_tree", draw_meanwhile)
    with pytest.raises(OutputError, match="changed all the time"):
        save_version(project, "first")
    assert versions(project) == []
    assert list((project.folder / "versions").iterdir()) == []


@pytest.mark.parametrize("name", ["first", "First", " first "])
def test_no_version_is_saved_over_another(project, name):
    draw(project, 2)
    save_version(project, "first")
    kept = now(project)
    draw(project, 1)
    with pytest.raises(OutputError, match="already"):
        save_version(project, name)
    assert same(then(project, "first"), kept)


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "a\\b", ".hidden", "a:b", "CON", "nul.txt", "end.", "x" * 61]
)
def test_what_is_no_file_name_everywhere_is_refused(project, name):
    with pytest.raises(BadInputError, match="cannot name a version"):
        save_version(project, name)
    assert not (project.folder / "versions").exists()


@pytest.mark.parametrize("name", ["before Anna's".replace("'", ""), "v1.2 (α, β)", "十" * 60, "2026-11-23"])
def test_names_people_give_are_taken(project, name):
    draw(project, 2)
    save_version(project, name)
    assert [version.name for version in versions(project)] == [name]
    assert version_plane(project, name, "ink", (0, 1), (0, 1)).item() == 2


def test_a_version_that_is_not_there_says_which_are(project):
    with pytest.raises(ProjectError, match="has no version 'x'; it has none"):
        version_plane(project, "x", "ink", (0, 1), (0, 1))
    save_version(project, "first")
    save_version(project, "second")
    with pytest.raises(ProjectError, match="has no version '../first'; it has first, second"):
        restore_version(project, "../first")


def test_what_a_crash_left_half_saved_is_no_version_and_goes_away(project):
    half = project.folder / "versions" / ".123.partial"
    half.mkdir(parents=True)
    (half / "version.json").write_text(json.dumps({"author": "a", "at": "", "number": 0, "counts": {}}))
    assert versions(project) == []
    save_version(project, "first")
    assert [path.name for path in (project.folder / "versions").iterdir()] == ["first"]


def test_a_full_disk_leaves_nothing_behind(project, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    draw(project, 2)
    project.annotation.flush()
    monkeypatch.setattr(module, "write_durably", full)
    with pytest.raises(OutputError, match="The disk is full"):
        save_version(project, "first")
    assert list((project.folder / "versions").iterdir()) == []


def test_a_damaged_version_says_where(project):
    draw(project, 2)
    save_version(project, "first")
    chunk = project.folder / "versions" / "first" / PLANES_NAME / "ink" / "c" / "0" / "0"
    chunk.unlink()  # it is a link: the project's own chunk stays whole
    chunk.write_bytes(b"no chunk")
    with pytest.raises(ProjectError, match="first cannot be read"):
        restore_version(project, "first")
    assert (now(project)["ink"][:30, :40] == 2).all()
    (project.folder / "versions" / "first" / "version.json").write_text("{")
    assert versions(project) == []


@pytest.mark.parametrize(("y", "x"), [((-1, 4), (0, 4)), ((0, 4), (0, SHAPE[1] + 1)), ((4, 2), (0, 4))])
def test_reading_outside_a_version_is_refused(project, y, x):
    save_version(project, "first")
    with pytest.raises(ValueError, match="leaves the ink plane"):
        version_plane(project, "first", "ink", y, x)
