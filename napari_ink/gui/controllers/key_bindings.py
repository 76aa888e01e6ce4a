"""Key bindings of a viewer: actions bound to the keys from Preferences or the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari_ink.gui.models.actions import ACTIONS, Action
from napari_ink.gui.preferences import key_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

# napari binds these keys on labels layers, and keys of a layer take precedence over keys of the viewer.
_ON_LAYERS = ("undo", "redo")


def bind(viewer: Viewer, does: Mapping[str, Callable[[], Any]]) -> None:
    """Bind keys in a viewer to actions, replacing bindings that an earlier panel left."""
    for action in ACTIONS:
        if action.name in does and (key := key_of(action.name)):
            viewer.bind_key(key, _handler(action, does[action.name]), overwrite=True)


def bind_layer(layer: Layer, does: Mapping[str, Callable[[], Any]]) -> None:
    """Bind undo and redo on a layer, in place of napari's own bindings for labels layers."""
    for action in ACTIONS:
        if action.name in _ON_LAYERS and action.name in does and (key := key_of(action.name)):
            layer.bind_key(key, _handler(action, does[action.name]), overwrite=True)


def unbind(viewer: Viewer) -> None:
    """Remove all key bindings of the actions from a viewer."""
    for action in ACTIONS:
        if key := key_of(action.name):
            viewer.bind_key(key, None, overwrite=True)


def _handler(action: Action, do: Callable[[], Any]) -> Callable[[object], None]:
    # napari shows the docstring of a bound function in its list of shortcuts.
    def handle(_of: object) -> None:
        do()

    handle.__doc__ = f"napari-ink: {action.title}"
    return handle
