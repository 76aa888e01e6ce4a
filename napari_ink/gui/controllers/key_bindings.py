"""Keys in a viewer: bound to the actions, by Preferences or else by default, and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from napari import settings
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import show_warning

from napari_ink.gui.models.actions import ACTIONS, Action

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

PLUGIN = "napari-ink"
# napari binds these on labels layers itself, and a layer's keys come before the viewer's.
_ON_LAYERS = ("undo", "redo")


@cache
def key_of(name: str) -> str:
    """Return the key of an action, as napari writes it; empty when Preferences leave it none."""
    action = next(one for one in ACTIONS if one.name == name)
    return _chosen().get(name, action.key)


def shown_key(name: str) -> str:
    """Return the key of an action as people read it: ``Ctrl+Z``, ``?``."""
    key = key_of(name)
    return "?" if key == "Shift-/" else key.replace("Control", "Ctrl").replace("-", "+")


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


@cache
def _chosen() -> dict[str, str]:
    """Return the keys chosen in Preferences; one that is no key is said, and the default is kept."""
    # napari has settings of plugins since 0.9.
    read = getattr(settings, "get_plugin_settings", None)
    if read is None:
        return {}
    try:
        group = read(PLUGIN).keys
    except (AttributeError, KeyError):
        return {}
    chosen: dict[str, str] = {}
    for action in ACTIONS:
        key = str(getattr(group, action.name, action.key)).strip()
        if key and not str(coerce_keybinding(key)):
            show_warning(f"“{key}” in Preferences is no key for “{action.title}”; {action.key} is used.")
        else:
            chosen[action.name] = key
    return chosen
