"""Settings from napari's Preferences: the key of each action."""

from __future__ import annotations

from functools import cache

from napari import settings
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import show_warning

from napari_ink.gui.models.actions import ACTIONS

PLUGIN = "napari-ink"


@cache
def key_of(name: str) -> str:
    """Return the key of an action in napari's notation; empty if Preferences give it none."""
    action = next(one for one in ACTIONS if one.name == name)
    return _chosen().get(name, action.key)


def shown_key(name: str) -> str:
    """Return the key of an action for display: ``Ctrl+Z``, ``?``."""
    key = key_of(name)
    return "?" if key == "Shift-/" else key.replace("Control", "Ctrl").replace("-", "+")


# Cached: changed keys apply from the next start on, because bindings are made once.
@cache
def _chosen() -> dict[str, str]:
    """Return the keys chosen in Preferences; an invalid key gives a warning and is replaced by the default."""
    # napari supports plugin settings since 0.9.
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
            show_warning(f"“{key}” in Preferences is not a valid key for “{action.title}”; {action.key} is used.")
        else:
            chosen[action.name] = key
    return chosen
