"""Settings from napari's Preferences: keys, and the folders and segments that were used last."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from napari import settings
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import show_warning

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.gui.models.actions import ACTIONS
from napari_ink.gui.models.palette import EDGE_RGB, INK_RGB

PLUGIN = "napari-ink"
_MOST_RECENT = 12
_HEX = re.compile("#[0-9a-fA-F]{6}")
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Rgb = tuple[float, float, float]
_COLOURS: dict[str, Rgb] = {
    "predicted_ink": INK_RGB,
    "predicted_edges": EDGE_RGB,
    "labelled_ink": INK_COLOURS[LabelValue.INK][:3],
    "labelled_papyrus": INK_COLOURS[LabelValue.PAPYRUS][:3],
    "labelled_edges": EDGE_COLOURS[EdgeValue.EDGE][:3],
    "labelled_no_edges": EDGE_COLOURS[EdgeValue.NOT_EDGE][:3],
}


def plugin_settings(group: str) -> Any:
    """Return a group of this plugin's settings; None where napari has none for plugins (before 0.9)."""
    read = getattr(settings, "get_plugin_settings", None)
    try:
        return None if read is None else getattr(read(PLUGIN), group)
    except (AttributeError, KeyError):
        return None


def preferred_device() -> DeviceName:
    """Return the device for predictions; "auto" unless another one is chosen."""
    chosen = str(getattr(plugin_settings("general"), "device", "auto"))
    return next((name for name in get_args(DeviceName) if name == chosen), "auto")


def preferred_model() -> str:
    """Return the name or path of the model to begin with; empty for the default one."""
    return str(getattr(plugin_settings("general"), "model", "")).strip()


def author_name() -> str | None:
    """Return the name that changes of labels are signed with; None for the login name."""
    return str(getattr(plugin_settings("general"), "author", "")).strip() or None


def projects_folder() -> Path | None:
    """Return the folder for all projects; None to keep each beside its segment."""
    chosen = str(getattr(plugin_settings("general"), "projects_folder", "")).strip()
    return Path(chosen).expanduser() if chosen else None


def colour(name: str) -> Rgb:
    """Return a colour from Preferences or the default; an invalid one gives a warning and is not used."""
    chosen = str(getattr(plugin_settings("colours"), name, "")).strip()
    if chosen and not _HEX.fullmatch(chosen):
        show_warning(f"“{chosen}” in Preferences is not a colour such as #ff8000; the default is used.")
        chosen = ""
    if not chosen:
        return _COLOURS[name]
    red, green, blue = (int(chosen[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def default_colour(name: str) -> Rgb:
    """Return the colour that is used unless Preferences have another one."""
    return _COLOURS[name]


def save_colours(chosen: Mapping[str, Rgb | None]) -> None:
    """Store colours for the next start; None for the default."""
    if (group := plugin_settings("colours")) is not None:
        for name, rgb in chosen.items():
            setattr(group, name, "" if rgb is None else "#" + "".join(f"{round(255 * part):02x}" for part in rgb))


def save_keys(chosen: Mapping[str, str]) -> None:
    """Store the key of each action, in napari's notation, for the next start; empty for none."""
    if (group := plugin_settings("keys")) is not None:
        for name, key in chosen.items():
            setattr(group, name, key)


def saved_key(name: str) -> str:
    """Return the key of an action from the next start on; unlike `key_of`, which the window was made with."""
    action = next(one for one in ACTIONS if one.name == name)
    return str(getattr(plugin_settings("keys"), name, action.key)).strip()


def recent_sources() -> tuple[str, ...]:
    """Return the segments and projects that were opened last, newest first."""
    saved = _saved("recent", [])
    return tuple(one for one in saved if isinstance(one, str)) if isinstance(saved, list) else ()


def remember_source(source: str) -> None:
    """Put a segment or project first in the list of recent ones."""
    others = [one for one in recent_sources() if one != source]
    _save("recent", [source, *others][:_MOST_RECENT])


def folder_of(kind: str) -> Path | None:
    """Return the folder in which a file of this kind was chosen last; None before the first one."""
    saved = _saved("folders", {})
    folder = saved.get(kind) if isinstance(saved, dict) else None
    return Path(folder) if isinstance(folder, str) and folder else None


def remember_folder(kind: str, folder: Path) -> None:
    """Store the folder in which a file of this kind was chosen."""
    saved = _saved("folders", {})
    _save("folders", {**(saved if isinstance(saved, dict) else {}), kind: str(folder)})


def _saved(name: str, default: Any) -> Any:
    try:
        return json.loads(getattr(plugin_settings("files"), name, "null")) or default
    except (ValueError, TypeError):  # users can edit Preferences and their file
        return default


def _save(name: str, value: Any) -> None:
    if (group := plugin_settings("files")) is not None:
        setattr(group, name, json.dumps(value))


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
    group = plugin_settings("keys")
    if group is None:
        return {}
    chosen: dict[str, str] = {}
    for action in ACTIONS:
        key = str(getattr(group, action.name, action.key)).strip()
        if key and not str(coerce_keybinding(key)):
            show_warning(f"“{key}” in Preferences is not a valid key for “{action.title}”; {action.key} is used.")
        else:
            chosen[action.name] = key
    return chosen
