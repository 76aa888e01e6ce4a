"""Mouse and keys for a viewer model: the callbacks that napari's canvas calls, in its order, without a canvas."""

from typing import Any

from napari.components import ViewerModel
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from napari.utils.key_bindings import KeymapHandler

Place = tuple[float, float]


def stroke(viewer: ViewerModel, *places: Place, button: int = 1, modifiers: tuple[str, ...] = (), double: bool = False):
    """Drag the mouse from one position in segment pixels (y, x) to the next; a single position is a click."""
    _send(viewer, mouse_move_callbacks, "mouse_move", places[0], None, modifiers)
    _send(viewer, mouse_press_callbacks, "mouse_press", places[0], button, modifiers)
    for place in places[1:]:
        _send(viewer, mouse_move_callbacks, "mouse_move", place, button, modifiers, is_dragging=True)
    _send(viewer, mouse_release_callbacks, "mouse_release", places[-1], button, modifiers)
    if double:
        _send(viewer, mouse_double_click_callbacks, "mouse_double_click", places[-1], button, modifiers)


def hover(viewer: ViewerModel, place: Place) -> None:
    """Move the mouse to a position with no button held."""
    _send(viewer, mouse_move_callbacks, "mouse_move", place, None, ())


def press_key(viewer: ViewerModel, key: str) -> None:
    """Press a key, in napari's notation, over the picture; keys of the selected layer precede those of the viewer."""
    keys = KeymapHandler()
    active = viewer.layers.selection.active
    keys.keymap_providers = [viewer] if active is None else [active, viewer]
    assert keys.press_key(key), f"{key} does nothing"


def _send(
    viewer: ViewerModel,
    call: Any,
    kind: str,
    place: Place,
    button: int | None,
    modifiers: tuple[str, ...],
    is_dragging: bool = False,
) -> None:
    dims = viewer.dims
    event = read_only_mouse_event(
        type=kind,
        is_dragging=is_dragging,
        button=button,
        modifiers=list(modifiers),
        position=(*dims.point[:-2], *place),
        dims_displayed=list(dims.displayed),
    )
    viewer.cursor.position = event.position
    call(viewer, event)
    if (layer := viewer.layers.selection.active) is not None:
        call(layer, event)
