"""The view saved in a project, without a window: what is saved and restored, and damaged views."""

import pytest

from napari_ink.gui.controllers.view_memory import describe, restore_camera
from napari_ink.gui.layers.viewport import camera_of
from tests.gui.windowless import take_turns


def test_the_view_is_saved_as_labels_are_closed_and_restored_with_the_project(empty_session, held_jobs, viewer_model):
    session, folder = empty_session, empty_session.labels.project.folder
    camera = camera_of(viewer_model)
    camera.center, camera.zoom = (*camera.center[:-2], 30.0, 40.0), 5.0
    viewer_model.dims.set_point(0, 2)
    viewer_model.layers["Edge labels"].visible, viewer_model.layers["Ink labels"].opacity = False, 0.25
    session.prediction.shown.set_threshold("ink", 0.75)
    session.labels.end()
    camera.zoom = 1.0
    viewer_model.dims.set_point(0, 7)
    session.prediction.shown.set_threshold("ink", 0.5)
    session.open_stack(folder)
    held_jobs.work()
    take_turns()
    assert (camera.center[-2:], camera.zoom, viewer_model.dims.point[0]) == ((30.0, 40.0), 5.0, 2)
    assert session.state.ink_threshold == 0.75
    assert not viewer_model.layers["Edge labels"].visible
    assert viewer_model.layers["Ink labels"].opacity == 0.25


def test_the_view_is_saved_on_a_thread_when_it_has_changed(empty_session, held_jobs, viewer_model):
    empty_session.view_memory._save_on_a_thread()
    assert held_jobs.names() == ["save"]
    held_jobs.work()
    assert empty_session.labels.project.view["zoom"] == camera_of(viewer_model).zoom
    empty_session.view_memory._save_on_a_thread()
    assert not held_jobs.waiting


def test_in_3d_no_view_is_saved(empty_session, viewer_model):
    viewer_model.dims.ndisplay = 3
    assert describe(viewer_model, empty_session._layers) == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"center": [1.0, float("nan")]},
        {"center": "here"},
        {"zoom": -1.0},
        {"contrast_limits": [9.0, 1.0]},
        {"depth": "0"},
    ],
)
def test_damaged_parts_of_a_view_change_nothing(empty_session, viewer_model, damage):
    before = describe(viewer_model, empty_session._layers)
    restore_camera(viewer_model, empty_session._layers, before | damage)
    assert describe(viewer_model, empty_session._layers) == before
