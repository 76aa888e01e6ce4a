"""The contrast that a person gave each stack: remembered in napari's Preferences, from one day to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari import settings
from qtpy.QtCore import QObject
from superqt.utils import QSignalDebouncer

from napari_ink.gui.preferences import PLUGIN

if TYPE_CHECKING:
    from napari.layers import Layer

_MOST = 200
_SETTLE_MS = 600


class ContrastMemory(QObject):
    """Gives a stack the contrast that it was given last, and remembers each change of it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer: Layer | None = None
        self._name, self._first = "", (0.0, 1.0)
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._save)

    def begin(self, layer: Layer, name: str, limits: tuple[float, float]) -> None:
        """Look after another stack's layer.

        Parameters
        ----------
        layer
            The layer.
        name
            By which the stack is known again.
        limits
            From its percentiles: what it has if nobody chose otherwise.
        """
        self.release()
        self._layer, self._name, self._first = layer, name, limits
        said = _remembered().get(name)
        if _are_limits(said):
            layer.contrast_limits = said
        layer.events.contrast_limits.connect(self._on_changed)

    def reset(self) -> None:
        """Go back to the percentiles."""
        if self._layer is not None:
            self._layer.contrast_limits = self._first

    def release(self) -> None:
        """Look after no layer any more; what was changed a moment ago is kept now."""
        self._settled.flush()
        if self._layer is not None:
            self._layer.events.contrast_limits.disconnect(self._on_changed)
            self._layer = None

    def _on_changed(self, *_: object) -> None:
        self._settled.throttle()

    def _save(self) -> None:
        group = _group()
        if self._layer is None or group is None:
            return
        kept = {name: limits for name, limits in _remembered().items() if name != self._name}
        now = tuple(float(value) for value in self._layer.contrast_limits)
        if now != self._first:
            kept[self._name] = now
        group.remembered = json.dumps(dict(list(kept.items())[-_MOST:]))


def _group() -> Any:
    # napari has settings of plugins since 0.9.
    read = getattr(settings, "get_plugin_settings", None)
    try:
        return None if read is None else read(PLUGIN).contrast
    except (AttributeError, KeyError):
        return None


def _remembered() -> dict[str, Any]:
    try:
        said = json.loads(getattr(_group(), "remembered", "{}"))
    except (ValueError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def _are_limits(said: Any) -> bool:
    return (
        isinstance(said, list)
        and len(said) == 2
        and all(isinstance(one, int | float) for one in said)
        and said[0] < said[1]
    )
