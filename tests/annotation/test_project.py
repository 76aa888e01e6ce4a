"""Projects: reopened, locked by one window at a time, and moved with or without their stack."""

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_ink.annotation import create_project, default_project_folder, is_project, open_project
from napari_ink.annotation.store.versions import Versions
from napari_ink.errors import BadInputError, ProjectError, StackMovedError
from napari_ink.stack import open_stack

SHAPE = (700, 600)
HOLD = """
import sys, time
from pathlib import Path
from napari_ink.annotation import open_project
project = open_project(Path(sys.argv[1]), author="anna")
print("held" if not project.read_only else project.holder, flush=True)
time.sleep(60)
"""


def _stack(path, seed=0, shape=(5, *SHAPE)):
    np.save(path, np.random.default_rng(seed).integers(0, 60000, shape, dtype=np.uint16))
    return open_stack(path)


@pytest.fixture
def stack(tmp_path):
    """A stack of 5 layers in a separate folder."""
    (tmp_path / "here").mkdir()
    return _stack(tmp_path / "here" / "piece.npy")


@pytest.fixture
def folder(stack):
    """A closed project with one stroke, beside the stack."""
    project = create_project(default_project_folder(stack), stack, "ada")
    project.annotation.apply([("ink", 10, 20, np.full((30, 40), 2, np.uint8))], "brush")
    project.save_view({"zoom": 2.5, "centre": [3, 4]})
    project.close()
    return project.folder


def test_a_project_reopens_unchanged(folder, stack):
    assert folder == stack.source.parent / "piece.ink"
    assert is_project(folder)
    project = open_project(folder)
    assert project.stack.source == stack.source
    assert project.name == "piece"
    assert project.annotation.count("ink") == {2: 1200}
    assert project.view == {"zoom": 2.5, "centre": [3, 4]}
    assert not project.read_only
    project.close()
    stored = json.loads((folder / "project.json").read_text())
    assert stored["stack"] == "../piece.npy"  # relative, so that both can be moved


def test_a_second_window_is_read_only_and_names_the_holder(folder):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        project = open_project(folder, author="bob")
        assert project.read_only
        assert project.holder.startswith("anna on ")
        assert project.annotation.count("ink") == {2: 1200}
        with pytest.raises(BadInputError, match="reading only"):
            project.annotation.apply([("ink", 0, 0, np.ones((5, 5), np.uint8))], "brush")
        project.save_view({"zoom": 1})
        project.close()
        other.kill()  # as in a crash: the lock ends with the program
    project = open_project(folder, author="bob")
    assert not project.read_only
    assert project.view == {"zoom": 2.5, "centre": [3, 4]}
    project.close()


def test_a_closed_project_can_be_opened_by_another_program(folder):
    project = open_project(folder)
    project.close()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        other.kill()


def test_a_project_and_a_stack_that_moved_together_are_found(folder, stack, tmp_path):
    stack.source.parent.rename(tmp_path / "there")
    project = open_project(tmp_path / "there" / "piece.ink")
    assert project.stack.source == tmp_path / "there" / "piece.npy"
    assert project.annotation.count("ink") == {2: 1200}
    project.close()


def test_a_moved_stack_is_asked_for_and_recognised(folder, stack, tmp_path):
    moved = tmp_path / "elsewhere.npy"
    stack.source.rename(moved)
    with pytest.raises(StackMovedError, match=r"no longer at .*piece\.npy"):
        open_project(folder)
    project = open_project(folder, stack_at=moved)
    project.close()
    project = open_project(folder)  # the new path is stored
    assert project.stack.source == moved
    project.close()


@pytest.mark.parametrize(
    ("shape", "seed", "message"), [((5, 700, 601), 0, "5 × 700 × 601"), ((5, *SHAPE), 1, "grey values differ")]
)
def test_another_stack_is_refused(folder, tmp_path, shape, seed, message):
    _stack(tmp_path / "other.npy", seed, shape)
    with pytest.raises(BadInputError, match=message):
        open_project(folder, stack_at=tmp_path / "other.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is not a project"), ("{", "cannot be read"), ("{}", "cannot be read"), ("[]", "cannot be read")],
)
def test_a_folder_that_is_no_project_is_refused_in_one_sentence(folder, content, message):
    if content is None:
        (folder / "project.json").unlink()
    else:
        (folder / "project.json").write_text(content)
    with pytest.raises(ProjectError, match=message):
        open_project(folder)


def test_a_project_of_a_later_release_is_refused(folder):
    stored = json.loads((folder / "project.json").read_text())
    (folder / "project.json").write_text(json.dumps(stored | {"version": 99}))
    with pytest.raises(ProjectError, match="update napari-ink"):
        open_project(folder)


def test_a_project_is_not_made_twice(folder, stack):
    with pytest.raises(ProjectError, match="already"):
        create_project(folder, stack)


def test_a_damaged_view_is_discarded(folder):
    (folder / "view.json").write_text("[1")
    project = open_project(folder)
    assert project.view == {}
    project.close()


def test_a_version_is_saved_compared_and_restored(folder):
    project = open_project(folder)
    project.versions.save("before lunch")
    project.annotation.apply(
        [("ink", 0, 0, np.full(SHAPE, 1, np.uint8)), ("review", 0, 0, np.ones((1, 1), np.uint8))], "fill"
    )
    project.annotation.flush()
    project.versions.save("after")
    assert project.versions.names() == ["before lunch", "after"]
    then = project.versions.plane("before lunch", "ink", (0, SHAPE[0]), (0, SHAPE[1]))
    assert (then == 2).sum() == 1200
    assert (then == 1).sum() == 0
    assert list(project.versions.differences("after", "ink")) == []
    differs = sum(
        int((before != now).sum()) for _, _, before, now in project.versions.differences("before lunch", "ink")
    )
    assert differs == SHAPE[0] * SHAPE[1]
    project.versions.restore("before lunch")
    assert project.annotation.count("ink") == {2: 1200}
    assert project.annotation.count("review") == {}
    assert project.annotation.undo_name == "restore before lunch"
    project.annotation.undo()
    assert project.annotation.count("ink") == {1: SHAPE[0] * SHAPE[1]}
    project.close()
    project = open_project(folder)
    assert project.versions.names() == ["before lunch", "after"]
    project.close()


def test_a_version_does_not_change_while_its_chunks_are_edited(folder):
    project = open_project(folder)
    project.versions.save("one")
    for value in (1, 2, 0):
        project.annotation.apply([("ink", 0, 0, np.full((100, 100), value, np.uint8))], "brush")
        project.annotation.flush()
    assert (project.versions.plane("one", "ink", (0, SHAPE[0]), (0, SHAPE[1])) == 2).sum() == 1200
    project.close()


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "x" * 70, "end."])
def test_a_version_needs_a_valid_folder_name(folder, name):
    project = open_project(folder)
    with pytest.raises(BadInputError, match="cannot name a version"):
        project.versions.save(name)
    project.close()


def test_versions_are_never_overwritten_and_unknown_ones_refused(folder):
    project = open_project(folder)
    project.versions.save("one")
    with pytest.raises(BadInputError, match="already"):
        project.versions.save("one")
    with pytest.raises(BadInputError, match="there are: one"):
        Versions(folder, project.annotation).restore("two")
    project.close()
