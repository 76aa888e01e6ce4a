"""Keys in a viewer: bound to the actions, by Preferences or else by default, and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari_ink.gui.models.actions import ACTIONS, Action
from napari_ink.gui.preferences import key_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

# napari binds these on labels layers itself, and a layer's keys come before the viewer's.
_ON_LAYERS = ("undo", "redo")


def bind(viewer: Viewer, does: Mapping[str, Callable[[], Any]]) -> None:
    """Bind what the actions do in a viewer, in place of any binding that an earlier panel left."""
    for action in ACTIONS:
        if action.name in does and (key := key_of(action.name)):
            viewer.bind_key(key, _handler(action, does[action.name]), overwrite=True)


def bind_layer(layer: Layer, does: Mapping[str, Callable[[], Any]]) -> None:
    """Bind on a layer what napari binds on its kind of layer otherwise: undo and redo."""
    for action in ACTIONS:
        if action.name in _ON_LAYERS and action.name in does and (key := key_of(action.name)):
            layer.bind_key(key, _handler(action, does[action.name]), overwrite=True)


def unbind(viewer: Viewer) -> None:
    """Take the keys away again."""
    for action in ACTIONS:
        if key := key_of(action.name):
            viewer.bind_key(key, None, overwrite=True)


def _handler(action: Action, do: Callable[[], Any]) -> Callable[[object], None]:
    def handle(_of: object) -> None:
        do()

    handle.__doc__ = f"napari-ink: {action.title}"
    return handle
