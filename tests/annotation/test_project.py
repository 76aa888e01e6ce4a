"""Projects: made, closed, opened again, moved, and open in two places at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ink.annotation import create_project, default_project_folder, is_project, open_project
from napari_ink.annotation.fingerprint import differences, fingerprint
from napari_ink.errors import BadInputError, OutputError, ProjectError, StackMovedError
from napari_ink.stack import open_stack

VOLUME = np.random.default_rng(0).integers(0, 65535, (6, 40, 50), dtype=np.uint16)


def write_layers(segment: Path, volume: np.ndarray = VOLUME) -> Path:
    layers = segment / "layers"
    layers.mkdir(parents=True)
    for z, layer in enumerate(volume):
        tifffile.imwrite(layers / f"{z:02}.tif", layer)
    return segment


@pytest.fixture
def segment(tmp_path):
    return write_layers(tmp_path / "here" / "seg")


@pytest.fixture
def folder(segment):
    """A project with one stroke in it, closed."""
    project = create_project(segment.parent / "seg.ink", open_stack(segment), "ada")
    project.annotation.apply([("ink", 3, 4, np.full((5, 6), 2, np.uint8))], "brush")
    project.close()
    return project.folder


def test_a_project_is_opened_as_it_was_left(folder):
    project = open_project(folder, author="bob")
    assert (project.name, project.holder, project.read_only) == ("seg", "", False)
    assert project.stack.shape == VOLUME.shape
    assert project.annotation.shape == VOLUME.shape[1:]
    assert project.annotation.count("ink") == {2: 30}
    assert [(header.author, header.tool) for header in project.annotation.history()] == [("ada", "brush")]
    assert project.view == {}
    project.save_view({"layer": 3, "thresholds": [0.4, 0.6], "camera": {"centre": [1.5, 2.5], "zoom": 2.0}})
    project.close()
    again = open_project(folder)
    assert again.view == {"layer": 3, "thresholds": [0.4, 0.6], "camera": {"centre": [1.5, 2.5], "zoom": 2.0}}
    again.close()


def test_a_damaged_view_is_forgotten_and_the_labels_are_not(folder):
    (folder / "view.json").write_text("{")
    project = open_project(folder)
    assert project.view == {}
    assert project.annotation.count("ink") == {2: 30}
    project.close()


def test_a_second_one_is_not_made_over_the_first(folder, segment):
    assert is_project(folder)
    with pytest.raises(ProjectError, match=r"seg\.ink holds a project already"):
        create_project(folder, open_stack(segment))


def test_what_could_not_be_made_is_no_project_and_can_be_made_afterwards(segment, tmp_path, monkeypatch):
    from napari_ink.annotation import project as module

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "new.ink"
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_durably", full)
        with pytest.raises(OutputError, match="The disk is full"):
            create_project(folder, open_stack(segment))
    assert not is_project(folder)
    project = create_project(folder, open_stack(segment))
    assert not project.read_only
    project.close()


# Open in two places


def test_who_comes_second_only_looks_and_is_told_who_came_first(folder):
    first = open_project(folder, author="ada")
    first.annotation.apply([("ink", 20, 20, np.full((2, 2), 1, np.uint8))], "brush")
    first.annotation.flush()
    second = open_project(folder, author="bob")
    assert second.read_only
    assert second.holder.startswith("ada on ")
    assert second.annotation.count("ink") == {1: 4, 2: 30}
    with pytest.raises(BadInputError, match="reading only"):
        second.annotation.undo()
    second.save_view({"layer": 1})
    assert not (folder / "view.json").exists()
    second.close()
    assert open_project(folder).read_only  # closing what only looked on takes nothing from the first
    first.close()
    third = open_project(folder)
    assert not third.read_only
    third.close()


def test_a_project_opened_on_a_worker_is_let_go_by_the_window(folder):
    opened = []
    worker = threading.Thread(target=lambda: opened.append(open_project(folder)))
    worker.start()
    worker.join()
    opened[0].close()
    again = open_project(folder)
    assert not again.read_only
    again.close()


@pytest.mark.parametrize(
    "owner", ["", "[]", '{"author": "ada"}', '{"author": "ada", "host": "x", "since": "then"}', None]
)
def test_a_project_whose_owner_is_not_known_is_still_only_looked_at(folder, owner):
    first = open_project(folder)
    path = folder / ".owner.json"
    path.unlink() if owner is None else path.write_text(owner)
    second = open_project(folder)
    assert second.holder == "somebody else"
    first.close()


def test_a_killed_program_keeps_no_project(folder):
    script = (
        "import sys, time; from pathlib import Path; from napari_ink.annotation import open_project\n"
        "project = open_project(Path(sys.argv[1]), author='ada'); print('open', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        looked_at = open_project(folder)
        assert looked_at.holder.startswith("ada on ")
        looked_at.close()
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    project = open_project(folder)
    assert not project.read_only
    project.close()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed_is_looked_at(folder):
    (folder / ".lock").unlink(missing_ok=True)
    folder.chmod(0o555)
    try:
        project = open_project(folder)
        assert project.read_only
        assert "cannot be written" in project.holder
        assert project.annotation.count("ink") == {2: 30}
        project.close()
    finally:
        folder.chmod(0o755)


# Moved


def test_a_project_and_its_stack_move_together(folder, tmp_path):
    shutil.move(folder.parent, tmp_path / "there")
    project = open_project(tmp_path / "there" / folder.name)
    assert project.stack.source == tmp_path / "there" / "seg" / "layers"
    assert project.annotation.count("ink") == {2: 30}
    project.close()


def test_a_stack_that_moved_is_asked_for_and_remembered(folder, segment, tmp_path):
    moved = tmp_path / "elsewhere" / "seg"
    moved.parent.mkdir()
    shutil.move(segment, moved)
    with pytest.raises(StackMovedError) as caught:
        open_project(folder)
    assert str(segment / "layers") in str(caught.value)
    open_project(folder, moved).close()
    said = json.loads((folder / "project.json").read_text())
    assert said["stack"] == "../../elsewhere/seg/layers"
    project = open_project(folder)
    assert project.stack.source == moved / "layers"
    project.close()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (VOLUME[:5], r"5 × 40 × 50 layers, rows and columns where 6 × 40 × 50"),
        (VOLUME[:, :, :49], r"6 × 40 × 49"),
        ((VOLUME // 256).astype(np.uint8), "uint8 where uint16"),
        (VOLUME[::-1], "grey values"),
        (VOLUME[:, ::-1], "grey values"),
    ],
)
def test_another_stack_is_refused_and_the_difference_named(folder, tmp_path, other, says):
    wrong = write_layers(tmp_path / "wrong" / "seg", other)
    before = (folder / "project.json").read_bytes()
    with pytest.raises(BadInputError, match=says) as caught:
        open_project(folder, wrong)
    assert str(wrong) in str(caught.value)
    assert (folder / "project.json").read_bytes() == before
    open_project(folder).close()  # and the lock was let go


def test_a_stack_that_cannot_be_read_is_asked_for(folder, segment):
    (segment / "layers" / "03.tif").write_bytes(b"no tiff")
    with pytest.raises(StackMovedError, match=r"03\.tif"):
        open_project(folder)


# Not a project


def test_a_later_version_says_so(folder):
    (folder / "project.json").write_text(json.dumps({"version": 99, "scroll": "said otherwise then"}))
    with pytest.raises(ProjectError, match="later version of napari-ink; update"):
        open_project(folder)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 1}', '{"version": "one", "stack": "s", "fingerprint": {}}',
                '{"version": 1, "stack": "s", "fingerprint": {"shape": [1, 2, 3]}}',
                '{"version": 1, "stack": 5, "fingerprint": {"shape": [], "dtype": "", "rows_crc32": 0}}'],
)  # fmt: skip
def test_a_damaged_project_file_says_which(folder, content):
    (folder / "project.json").write_text(content)
    with pytest.raises(ProjectError, match=r"project\.json cannot be read"):
        open_project(folder)


def test_a_folder_without_a_project_says_so(tmp_path):
    with pytest.raises(ProjectError, match=r"is no project; name a folder that ends in \.ink"):
        open_project(tmp_path)


# Where it lies


def test_a_project_lies_beside_its_segment_unless_that_is_kept_apart(segment):
    stack = open_stack(segment)
    assert default_project_folder(stack) == segment.parent / "seg.ink"
    apart = default_project_folder(stack, keep_apart=segment.parent)
    assert apart.name == "seg.ink"
    assert not apart.is_relative_to(segment.parent)
    (segment.parent / "seg.ink").write_text("a file has the name")
    assert default_project_folder(stack) == apart


# Fingerprints


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    """The same grey values in three formats."""
    place = tmp_path_factory.mktemp("stacks")
    np.save(place / "seg.npy", VOLUME)
    tifffile.imwrite(place / "seg.tif", VOLUME)
    return [open_stack(path) for path in (write_layers(place / "seg"), place / "seg.npy", place / "seg.tif")]


def test_the_format_of_a_stack_is_no_part_of_its_fingerprint(stacks):
    first, *others = map(fingerprint, stacks)
    assert all(differences(other, first) == "" for other in others)
    assert json.loads(json.dumps(first)) == first


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.tuples(*[st.integers(1, 9)] * 3), seed=st.integers(0, 2**16))
def test_any_stack_knows_itself_and_no_other(tmp_path_factory, shape, seed):
    place = tmp_path_factory.mktemp("any")
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    np.save(place / "one.npy", values)
    np.save(place / "other.npy", 255 - values)
    one, other = (fingerprint(open_stack(place / name)) for name in ("one.npy", "other.npy"))
    assert differences(one, fingerprint(open_stack(place / "one.npy"))) == ""
    assert differences(other, one) == "its grey values are others"
