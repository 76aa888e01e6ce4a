"""The tool manager: it gives the mouse and two keys to one tool, and returns all of them to napari."""

from unittest.mock import create_autospec

import numpy as np
import pytest
from napari.layers import Labels

from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool, Pointer
from napari_ink.gui.tools.tool_manager import ToolManager
from tests.gui.model_events import hover, press_key, stroke


@pytest.fixture
def layer(viewer_model) -> Labels:
    """A labels layer, over which tools work."""
    return viewer_model.add_layer(Labels(np.zeros((60, 80), np.uint8)))


@pytest.fixture
def manager(viewer_model, layer) -> ToolManager:
    return ToolManager(viewer_model)


def _tool(takes_drags: bool):
    return create_autospec(CanvasTool, instance=True, takes_drags=takes_drags, hint="", **{"name": Tool.JOIN})


@pytest.fixture
def clicking():
    """A tool that leaves drags to the picture."""
    tool = _tool(takes_drags=False)
    tool.name = Tool.LIVEWIRE
    return tool


@pytest.fixture
def dragging():
    """A tool that takes drags."""
    tool = _tool(takes_drags=True)
    tool.name = Tool.JOIN
    return tool


def test_a_tool_that_takes_drags_gets_the_whole_drag(viewer_model, manager, layer, dragging):
    manager.activate(dragging, layer)
    stroke(viewer_model, (10, 20), (30, 40), (50, 60), modifiers=("Control",))
    dragging.press.assert_called_once_with(Pointer(10, 20, control=True))
    moved = [call.args[0] for call in dragging.move.call_args_list if call.kwargs == {"pressed": True}]
    assert moved == [Pointer(30, 40, control=True), Pointer(50, 60, control=True)]
    dragging.release.assert_called_once_with(Pointer(50, 60, control=True))


def test_a_tool_that_leaves_drags_gets_clicks_only(viewer_model, manager, layer, clicking):
    manager.activate(clicking, layer)
    stroke(viewer_model, (10, 20), (30, 40))
    clicking.press.assert_not_called()
    stroke(viewer_model, (10, 20), modifiers=("Shift",), button=2)
    clicking.press.assert_called_once_with(Pointer(10, 20, "right", shift=True))
    clicking.release.assert_not_called()


def test_the_mouse_is_followed_with_no_button_held(viewer_model, manager, layer, clicking):
    manager.activate(clicking, layer)
    hover(viewer_model, (12, 34))
    clicking.move.assert_called_once_with(Pointer(12, 34), pressed=False)


def test_the_picture_stays_where_a_tool_takes_drags(viewer_model, manager, layer, clicking, dragging):
    camera = camera_of(viewer_model)
    manager.activate(dragging, layer)
    assert not camera.mouse_pan
    viewer_model.add_points(np.zeros((1, 2)))  # napari lets drags move the picture when a layer is selected
    assert not camera.mouse_pan
    manager.activate(clicking, layer)
    assert camera.mouse_pan


def test_the_picture_stays_still_for_a_brush_activated_later(viewer_model, manager, layer, clicking):
    manager.activate(clicking, layer)
    layer.mode = "paint"
    manager.deactivate()
    assert not camera_of(viewer_model).mouse_pan


def test_enter_and_escape_belong_to_the_tool_while_it_is_active(viewer_model, manager, layer, clicking):
    manager.activate(clicking, layer)
    press_key(viewer_model, "Enter")
    press_key(viewer_model, "Escape")
    assert [call.args for call in clicking.key.call_args_list] == [("Enter",), ("Escape",)]
    manager.deactivate()
    assert not {"Enter", "Escape"} & {str(key) for key in layer.keymap}


def test_a_double_click_finishes_and_does_not_zoom(viewer_model, manager, layer, clicking):
    camera, napari_callbacks = camera_of(viewer_model), list(viewer_model.mouse_double_click_callbacks)
    assert len(napari_callbacks) > 1  # napari's own, and the manager's
    manager.activate(clicking, layer)
    zoom = camera.zoom
    stroke(viewer_model, (10, 20), double=True)
    clicking.double_click.assert_called_once_with(Pointer(10, 20))
    assert camera.zoom == zoom
    manager.deactivate()
    assert set(viewer_model.mouse_double_click_callbacks) == set(napari_callbacks)
    stroke(viewer_model, (10, 20), double=True)
    assert camera.zoom != zoom
    clicking.double_click.assert_called_once()


def test_another_tool_replaces_the_active_one(viewer_model, manager, layer, clicking, dragging, qtbot):
    names = []
    manager.changed.connect(lambda: names.append(manager.name))
    manager.activate(clicking, layer)
    manager.activate(dragging, layer)
    clicking.drop.assert_called_once_with()
    manager.deactivate()
    manager.deactivate()  # no tool is active
    assert names == ["livewire", "", "join", ""]
    dragging.drop.assert_called_once_with()


def test_a_tool_deactivated_during_a_drag_does_not_get_its_release(viewer_model, manager, layer, dragging):
    manager.activate(dragging, layer)
    dragging.move.side_effect = lambda _at, pressed: manager.deactivate() if pressed else None
    stroke(viewer_model, (10, 20), (30, 40), (50, 60))
    assert [call.kwargs["pressed"] for call in dragging.move.call_args_list] == [False, True]
    dragging.release.assert_not_called()


def test_the_layer_of_the_tool_is_selected_and_its_brush_deactivated(viewer_model, manager, layer, dragging):
    layer.mode = "paint"
    viewer_model.add_points(np.zeros((1, 2)))
    manager.activate(dragging, layer)
    assert viewer_model.layers.selection.active == layer
    assert layer.mode == "pan_zoom"


def test_a_released_viewer_sends_no_events(viewer_model, manager, layer, clicking):
    manager.activate(clicking, layer)
    manager.release()
    for callbacks in (viewer_model.mouse_drag_callbacks, viewer_model.mouse_move_callbacks):
        assert not any(getattr(one, "__self__", None) is manager for one in callbacks)
    hover(viewer_model, (12, 34))
    stroke(viewer_model, (10, 20))
    clicking.press.assert_not_called()
    clicking.move.assert_not_called()
    viewer_model.add_points(np.zeros((1, 2)))
    assert camera_of(viewer_model).mouse_pan
