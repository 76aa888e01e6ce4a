"""Memory of the contrast limits that the user chose for each stack, kept in napari's Preferences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from superqt.utils import QSignalDebouncer

from napari_ink.gui.preferences import plugin_settings

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.stack import DepthStack

_MOST = 200
_SETTLE_MS = 600


class ContrastMemory(QObject):
    """Controller that restores the contrast limits of a stack, and saves each change of them.

    Parameters
    ----------
    layers
        Layers of the viewer.
    """

    def __init__(self, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self._layer: Layer | None = None
        self._name, self._percentiles = "", (0.0, 1.0)
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._save)

    def begin(self, stack: DepthStack) -> None:
        """Restore the limits of another stack, whose layer still has the limits from its percentiles."""
        self.release()
        layer = self._layers.stack_layer
        if layer is None:
            return
        low, high = (float(value) for value in layer.contrast_limits)
        # The fingerprint identifies a stack even after it was moved.
        self._layer, self._name, self._percentiles = layer, stack.fingerprint()[:16], (low, high)
        limits = _remembered().get(self._name)
        if _are_limits(limits):
            layer.contrast_limits = limits
        layer.events.contrast_limits.connect(self._on_changed)

    def reset(self) -> None:
        """Reset the limits to the percentiles of the grey values."""
        if self._layer is not None:
            self._layer.contrast_limits = self._percentiles

    def release(self) -> None:
        """Stop following the layer, and save a pending change."""
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
        others = {name: limits for name, limits in _remembered().items() if name != self._name}
        now = tuple(float(value) for value in self._layer.contrast_limits)
        if now != self._percentiles:
            others[self._name] = now  # at the end, since the oldest are dropped first
        group.remembered = json.dumps(dict(list(others.items())[-_MOST:]))


def _group() -> Any:
    return plugin_settings("contrast")


def _remembered() -> dict[str, Any]:
    try:
        saved = json.loads(getattr(_group(), "remembered", "{}"))
    except (ValueError, TypeError):  # users can edit Preferences and their file
        return {}
    return saved if isinstance(saved, dict) else {}


def _are_limits(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, int | float) for one in value)
        and value[0] < value[1]
    )
