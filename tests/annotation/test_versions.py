"""Versions: snapshots that later edits do not change."""

import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.annotation import create_project, open_project
from napari_ink.annotation.store import versions as module
from napari_ink.annotation.store.edits import PLANES
from napari_ink.annotation.store.store import PLANES_NAME
from napari_ink.errors import BadInputError, OutputError
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
    shape = min(shape[0], SHAPE[0] - y), min(shape[1], SHAPE[1] - x)
    project.annotation.apply([(plane, y, x, np.full(shape, value, np.uint8))], "brush")


def now(project) -> dict[str, np.ndarray]:
    shapes = {plane: project.annotation.plane_shape(plane) for plane in PLANES}
    return {plane: project.annotation.read(plane, (0, h), (0, w)) for plane, (h, w) in shapes.items()}


def then(project, name: str) -> dict[str, np.ndarray]:
    shapes = {plane: project.annotation.plane_shape(plane) for plane in PLANES}
    return {plane: project.versions.plane(name, plane, (0, h), (0, w)) for plane, (h, w) in shapes.items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[plane], other[plane]) for plane in PLANES)


_BLOCK = st.tuples(
    st.integers(0, 2),
    st.integers(0, SHAPE[0] - 1),
    st.integers(0, SHAPE[1] - 1),
    st.tuples(st.integers(1, 600), st.integers(1, 500)),
    st.sampled_from(["ink", "edge"]),
)


@settings(deadline=None, max_examples=10)
@given(first=st.lists(_BLOCK, max_size=4), second=st.lists(_BLOCK, max_size=4))
def test_a_version_stays_unchanged_lists_differences_and_restores_completely(tmp_path_factory, first, second):
    project = make(tmp_path_factory.mktemp("project"))
    for block in first:
        draw(project, *block)
    first_labels, counts = now(project), {plane: project.annotation.count(plane) for plane in PLANES}
    project.versions.save("first")
    for block in second:
        draw(project, *block)
    project.annotation.flush()
    later = now(project)
    assert same(then(project, "first"), first_labels)
    for plane in PLANES:
        patched = first_labels[plane].copy()
        for y, x, before, after in project.versions.differences("first", plane):
            part = slice(y, y + before.shape[0]), slice(x, x + before.shape[1])
            assert np.array_equal(patched[part], before)
            patched[part] = after
        assert np.array_equal(patched, later[plane])
    edit = project.versions.restore("first")
    assert (edit is None) == same(first_labels, later)
    assert same(now(project), first_labels)
    assert {plane: project.annotation.count(plane) for plane in PLANES} == counts
    if edit is not None:
        project.annotation.undo()
        assert same(now(project), later)
    project.close()


def test_versions_can_be_read_in_a_read_only_project_but_not_saved(project):
    draw(project, 2)
    project.versions.save("first")
    looking = open_project(project.folder, author="bob")
    assert looking.versions.names() == ["first"]
    assert same(then(looking, "first"), now(project))
    with pytest.raises(BadInputError, match="reading only"):
        looking.versions.save("second")
    with pytest.raises(BadInputError, match="reading only"):
        looking.versions.restore("first") or draw(looking, 1)
    looking.close()


def test_a_version_takes_no_space_until_labels_change(project):
    draw(project, 2, shape=SHAPE)
    project.versions.save("first")
    chunk = Path(PLANES_NAME) / "ink" / "c" / "0" / "0"
    assert os.path.samefile(project.folder / chunk, project.folder / "versions" / "first" / chunk)
    draw(project, 1)
    project.annotation.flush()
    assert not os.path.samefile(project.folder / chunk, project.folder / "versions" / "first" / chunk)


def test_chunks_are_copied_where_links_are_unsupported(project, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    draw(project, 2)
    labels = now(project)
    project.versions.save("first")
    draw(project, 1)
    project.annotation.flush()
    assert same(then(project, "first"), labels)


def test_a_version_saved_during_drawing_is_consistent(project):
    """Ink and edges are always drawn together, so they are equal in every version."""
    stop = threading.Event()

    def scribble() -> None:
        rng = np.random.default_rng(0)
        while not stop.wait(rng.uniform(0, 0.1)):
            y, x, value = int(rng.integers(SHAPE[0] - 60)), int(rng.integers(SHAPE[1] - 60)), int(rng.integers(0, 3))
            values = np.full((60, 60), value, np.uint8)
            project.annotation.apply([("ink", y, x, values), ("edge", y, x, values)], "both")

    worker = threading.Thread(target=scribble)
    worker.start()
    saved = []
    try:
        for number in range(6):
            try:
                project.versions.save(f"v{number}")
            except OutputError:  # drawing was too fast; the error leaves no files behind
                continue
            saved.append(f"v{number}")
    finally:
        stop.set()
        worker.join()
    assert project.versions.names() == saved
    for name in saved:
        planes = then(project, name)
        assert np.array_equal(planes["ink"], planes["edge"])


def test_constantly_changing_labels_are_not_saved_as_a_mixture(project, monkeypatch):
    link = module._link
    draw(project, 2)

    def draw_meanwhile(source: str, target: str) -> None:
        link(source, target)
        draw(project, 2 - project.annotation.journalled % 2)
        project.annotation.flush()

    monkeypatch.setattr(module, "_link", draw_meanwhile)
    with pytest.raises(OutputError, match="changed all the time"):
        project.versions.save("first")
    assert project.versions.names() == []
    assert list((project.folder / "versions").iterdir()) == []


@pytest.mark.parametrize("name", ["CON", "nul.txt", "lpt1", "a:b", "a\\b"])
def test_names_that_some_system_forbids_are_refused(project, name):
    with pytest.raises(BadInputError, match="cannot name a version"):
        project.versions.save(name)


@pytest.mark.parametrize("name", ["v1.2 (α, β)".replace(",", ""), "十" * 60, "2026-11-23", "console"])
def test_ordinary_names_are_allowed_and_ignore_case(project, name):
    draw(project, 2)
    project.versions.save(name)
    assert project.versions.plane(name, "ink", (0, 1), (0, 1)).item() == 2
    with pytest.raises(BadInputError, match="already"):
        project.versions.save(name.upper())


def test_a_half_saved_version_after_a_crash_is_removed(project):
    half = project.folder / "versions" / ".old.partial"
    half.mkdir(parents=True)
    assert project.versions.names() == []
    project.versions.save("first")
    assert [path.name for path in (project.folder / "versions").iterdir()] == ["first"]


def test_a_full_disk_leaves_nothing_behind(project, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    draw(project, 2)
    monkeypatch.setattr(module.shutil, "copytree", full)
    with pytest.raises(OutputError, match="No space left|full"):
        project.versions.save("first")
    assert list((project.folder / "versions").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which file a handle is of")
def test_a_version_is_on_the_disk_when_it_is_reported_as_saved(project, monkeypatch):
    # Nothing but a failing machine shows the difference, so what the system is asked for is watched.
    synced: list[Path] = []
    draw(project, 2)
    project.annotation.flush()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(os.readlink(f"/proc/self/fd/{handle}"))))
    project.versions.save("first")
    version = project.folder / "versions" / "first"
    named = {Path(*path.parts[len(version.parts) :]) for path in synced if ".first." in str(path)}
    assert named == {one.relative_to(version) for one in version.rglob("*")} | {Path()}
    assert synced[-1] == project.folder / "versions"
    assert project.folder in synced  # the folder `versions` was new


def test_a_change_between_flush_and_copy_is_in_a_version_whole_or_not_at_all(project, monkeypatch):
    flush, link, values = project.annotation.flush, module._link, [2]
    draw(project, 1, shape=SHAPE)

    def flush_and_draw() -> None:
        flush()
        if values:
            number = project.annotation.journalled
            draw(project, values.pop(), shape=SHAPE)
            while project.annotation.journalled == number:
                time.sleep(0.01)

    def link_slowly(source: str, target: str) -> None:
        link(source, target)
        if Path(source).parent.name.isdecimal():  # after the first chunk was linked, all are replaced
            flush()

    monkeypatch.setattr(project.annotation, "flush", flush_and_draw)
    monkeypatch.setattr(module, "_link", link_slowly)
    project.versions.save("first")
    assert np.unique(then(project, "first")["ink"]).size == 1
    monkeypatch.undo()
