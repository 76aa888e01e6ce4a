"""Closing and reopening: labels, prediction, thresholds and view are restored; projects are opened by name."""

import shutil

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_ink.annotation import create_project, open_project
from napari_ink.gui.app import open_window
from napari_ink.gui.models.state import Step
from napari_ink.stack import open_stack
from tests.gui.windowless import take_turns


@pytest.fixture
def idle(dock, qtbot):
    """Wait until a stack is open, with its labels and its last prediction."""

    def wait(labels: bool = True) -> None:
        qtbot.waitUntil(
            lambda: (
                dock.session.state.stack is not None
                and not dock.session.state.busy
                and dock.session.state.labels == labels
            ),
            timeout=20000,
        )
        qtbot.wait(300)

    return wait


@pytest.fixture
def other(tmp_path):
    """Another stack, to view in between."""
    np.save(tmp_path / "other.npy", np.random.default_rng(3).integers(0, 50000, (3, 64, 64), dtype=np.uint16))
    return tmp_path / "other.npy"


def test_a_segment_reopens_as_it_was_closed(labelled_dock, viewer, segment, other, idle, stroke, click, qtbot):
    dock = labelled_dock
    click(dock.correct.tools["ink"])
    stroke((30, 40), (40, 60))
    dock.predict.ink_threshold.changed.emit(0.25)
    camera = viewer.scene.camera
    camera.center, camera.zoom = (*camera.center[:-2], 33.0, 55.0), 7.5
    viewer.dims.set_point(0, 3)
    viewer.layers["seg-1"].contrast_limits = (2000, 30000)
    viewer.layers["Ink labels"].opacity = 0.35
    viewer.layers["Edge labels"].visible = False
    ink, predicted = viewer.layers["Ink labels"].data.copy(), viewer.layers["Ink (predicted)"].data.copy()
    assert ink.any()
    assert predicted.any()
    dock.open_stack(other)
    idle(labels=False)
    assert camera.zoom != 7.5
    dock.open_stack(segment)
    idle()
    assert np.array_equal(viewer.layers["Ink labels"].data, ink)
    assert np.array_equal(viewer.layers["Ink (predicted)"].data, predicted)
    assert camera.center[-2:] == (33.0, 55.0)
    assert camera.zoom == pytest.approx(7.5)
    assert viewer.dims.point[0] == 3
    assert tuple(viewer.layers["seg-1"].contrast_limits) == (2000, 30000)
    assert viewer.layers["Ink labels"].opacity == 0.35
    assert not viewer.layers["Edge labels"].visible
    assert dock.session.state.ink_threshold == 0.25
    assert viewer.layers["Ink (predicted)"].contrast_limits == [63, 64]
    dock.session.labelling.undo()
    qtbot.waitUntil(lambda: not np.array_equal(viewer.layers["Ink labels"].data, ink))


def test_the_last_prediction_is_shown_again_without_any_labels(predicted_dock, viewer, segment, other, idle):
    predicted = viewer.layers["Edges (predicted)"].data.copy()
    predicted_dock.open_stack(other)
    idle(labels=False)
    predicted_dock.open_stack(segment)
    idle(labels=False)
    assert np.array_equal(viewer.layers["Edges (predicted)"].data, predicted)
    assert viewer.layers["Edges (predicted)"].visible
    assert predicted_dock.predict.run_button.text() == "Run again"


def test_a_stack_of_the_same_name_and_size_does_not_show_the_prediction_of_another(
    dock, viewer, segment, other, idle, tmp_path, click, qtbot
):
    """In a folder for all projects both have the same project folder."""
    dock.session.stack.projects_in = tmp_path / "projects"
    dock.open_stack(segment)
    idle(labels=False)
    click(dock.predict.run_button)
    qtbot.waitUntil(lambda: dock.session.state.run is None and bool(dock.session.state.outcome))
    predicted = viewer.layers["Ink (predicted)"].data.copy()
    twin = tmp_path / "elsewhere" / "seg-1"
    shutil.copytree(segment, twin)
    for layer in (twin / "layers").iterdir():
        tifffile.imwrite(layer, tifffile.imread(layer)[::-1])
    dock.open_stack(twin)
    idle(labels=False)
    assert dock.session.state.prediction is None
    assert not dock.session.state.has_prediction
    qtbot.waitUntil(lambda: bool(dock.session.state.predictions.faults))
    (fault,) = dock.session.state.predictions.faults
    assert "another stack" in fault and str(segment) in fault
    assert dock.session.state.predictions.rows == ()
    copied = tmp_path / "copied" / "seg-1"
    shutil.copytree(segment, copied)
    dock.open_stack(copied)
    idle(labels=False)
    assert np.array_equal(viewer.layers["Ink (predicted)"].data, predicted)
    assert dock.session.state.predictions.faults == ()


def test_the_view_is_saved_while_browsing(empty_dock, viewer, tmp_path, qtbot):
    """A killed program has saved its view, except for the last seconds."""
    viewer.scene.camera.zoom = 9.25
    qtbot.waitUntil(
        lambda: (view := tmp_path / "seg-1.ink" / "view.json").exists() and "9.25" in view.read_text(), timeout=10000
    )


def test_a_damaged_view_is_ignored(empty_dock, viewer, segment, other, idle, errors):
    empty_dock.session.labels.project.save_view({})
    empty_dock.open_stack(other)
    idle(labels=False)
    project = open_project(segment.parent / "seg-1.ink")
    project.save_view(
        {
            "center": [1, None],
            "zoom": -3,
            "depth": "x",
            "contrast_limits": [5, 2],
            "shown": {"Ink labels": [1]},
            "thresholds": {"ink": 7.0},
            "prediction": "../../nowhere",
        }
    )
    project.close()
    empty_dock.open_stack(segment)
    idle()
    assert errors == []
    assert viewer.scene.camera.zoom > 0
    assert 0 <= empty_dock.session.state.ink_threshold <= 1


def test_a_moved_stack_is_asked_for(dock, viewer, segment, tmp_path, idle, errors, monkeypatch):
    make_project(segment, tmp_path / "seg-1.ink")
    (tmp_path / "moved").mkdir()
    shutil.move(segment, tmp_path / "moved" / "seg-1")
    asked = []

    def choose(_parent, title):
        asked.append(title)
        return str(tmp_path / "moved" / "seg-1")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    dock.open_stack(tmp_path / "seg-1.ink")
    idle()
    assert len(asked) == 1
    assert "no longer at" in errors[0]
    assert viewer.layers["Ink labels"].data[10:20, 10:20].all()


def test_a_project_is_opened_by_its_folder(session, viewer_model, held_jobs, segment, tmp_path):
    make_project(segment, tmp_path / "elsewhere" / "mine.ink")
    session.open_stack(tmp_path / "elsewhere" / "mine.ink")
    held_jobs.work()
    take_turns()
    assert session.state.storage.project == tmp_path / "elsewhere" / "mine.ink"
    assert viewer_model.layers["Ink labels"].data[10:20, 10:20].all()
    assert not (tmp_path / "seg-1.ink").exists()


def test_a_stack_other_than_the_moved_one_is_refused(session, held_jobs, segment, tmp_path):
    make_project(segment, tmp_path / "seg-1.ink")
    shutil.rmtree(segment)
    (tmp_path / "wrong").mkdir()
    for z in range(3):
        tifffile.imwrite(tmp_path / "wrong" / f"{z:02d}.tif", np.zeros((64, 64), np.uint16))
    asked = []
    session.stack_missing.connect(lambda project, message: asked.append((project, message)))
    session.open_stack(tmp_path / "seg-1.ink")
    held_jobs.work()
    ((project, message),) = asked
    assert project == tmp_path / "seg-1.ink"
    assert "no longer at" in message
    session.open_stack(project, tmp_path / "wrong")
    held_jobs.work()
    assert "is not the stack" in session.state.message(Step.STACK)
    assert session.state.stack is None


def test_the_command_line_gives_the_reason_for_a_damaged_project(tmp_path):
    (tmp_path / "bad.ink").mkdir()
    (tmp_path / "bad.ink" / "project.json").write_text("{")
    with pytest.raises(Exception, match="cannot be read"):
        open_window(tmp_path / "bad.ink")


def make_project(segment, folder) -> None:
    project = create_project(folder, open_stack(segment))
    project.annotation.apply([("ink", 10, 10, np.full((10, 10), 2, np.uint8))], "ink")
    project.close()
