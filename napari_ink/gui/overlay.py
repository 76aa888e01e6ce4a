"""The predicted overlays: two planes of uint8 probabilities that grow tile by tile and are cut on the graphics card."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_ink.gui.colours import overlay_colormap
from napari_ink.gui.state import What, cut_level

UInt8Array = npt.NDArray[np.uint8]
_NAMES: dict[What, str] = {"ink": "Ink (predicted)", "edge": "Edges (predicted)"}
_REFRESH_MS = 200
_REST = 4


class Overlay(QObject):
    """Probabilities of one prediction and the two image layers that show them.

    Parameters
    ----------
    shape
        Height and width of the segment in pixels.
    thresholds
        Where ink and edges are cut, 0…1.

    Attributes
    ----------
    layers : mapping
        One image layer for ``"ink"`` and one for ``"edge"``, to be added to a viewer by whoever made this.
    """

    def __init__(self, shape: tuple[int, int], thresholds: Mapping[What, float], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._planes: dict[What, UInt8Array] = {what: np.zeros(shape, np.uint8) for what in _NAMES}
        self.layers: dict[What, Image] = {
            what: Image(
                plane,
                name=_NAMES[what],
                colormap=overlay_colormap(what),
                contrast_limits=(0, 255),
                blending="translucent",
                interpolation2d="nearest",
            )
            for what, plane in self._planes.items()
        }
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh)
        self._drawn = QTimer(self)
        self._drawn.setSingleShot(True)
        self._drawn.timeout.connect(self._on_drawn)
        self._refreshed_at = 0.0
        self._pause_ms = _REFRESH_MS
        for what in _NAMES:
            self.cut(what, thresholds[what])

    def cut(self, what: What, threshold: float) -> None:
        """Show what reaches a threshold; no pixel is recomputed."""
        level = cut_level(threshold)
        self.layers[what].contrast_limits = (level - 1, level)

    def level(self, what: What) -> int:
        """Return the smallest probability of 0…255 that is shown."""
        return int(self.layers[what].contrast_limits[1])

    def clear(self) -> None:
        """Begin again with nothing predicted, in the same layers."""
        for plane in self._planes.values():
            plane.fill(0)
        self._refresh()

    def put(self, y: slice, x: slice, ink: UInt8Array, edge: UInt8Array) -> None:
        """Put the probabilities of one tile in place; they are drawn a few times a second."""
        self._planes["ink"][y, x] = ink
        self._planes["edge"][y, x] = edge
        if not self._timer.isActive():
            self._timer.start(self._pause_ms)

    def probabilities(self, what: What) -> UInt8Array:
        """Return the plane of probabilities itself, ``(y, x)`` uint8."""
        return self._planes[what]

    def mask(self, what: What, threshold: float) -> npt.NDArray[np.bool_]:
        """Return what reaches a threshold: exactly the pixels that are shown."""
        mask: npt.NDArray[np.bool_] = self._planes[what] >= cut_level(threshold)
        return mask

    def _refresh(self) -> None:
        self._refreshed_at = time.perf_counter()
        for layer in self.layers.values():
            layer.refresh(extent=False, highlight=False)
        self._drawn.start(0)

    def _on_drawn(self) -> None:
        # Where drawing is slow (a large plane, no graphics card), rest a multiple of that: the window stays free.
        took = time.perf_counter() - self._refreshed_at
        self._pause_ms = max(_REFRESH_MS, round(_REST * 1000 * took))
