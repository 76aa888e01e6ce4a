"""Regions of interest: a layer of shapes that says what is to be predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.gui.outlines import Polygon, as_polygon

if TYPE_CHECKING:
    from napari_ink.gui.layers import InkLayers

_KEY, _NAME = "roi", "Region of interest"
_SETTLE_MS = 400
_YELLOW = "#F0E442"  # of Okabe and Ito, apart from ink and edges


class RegionOfInterest(QObject):
    """The shapes that a person draws around what is to be predicted.

    Emits `changed` a moment after the last change to them.

    Parameters
    ----------
    layers
        The viewer's layers.
    """

    changed = Signal()

    def __init__(self, layers: InkLayers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._settled.timeout.connect(self.changed)

    def begin(self) -> None:
        """Show the layer of shapes, with the tool for rectangles in hand."""
        if self._layers.extra(_KEY) is not None:
            return
        layer = Shapes(
            ndim=2, name=_NAME, face_color="transparent", edge_color=_YELLOW, edge_width=3
        )  # fmt: skip
        layer.events.data.connect(lambda *_: self._settled.start())
        self._layers.show_drawing(_KEY, layer)

    def polygons(self) -> list[Polygon]:
        """Return the outlines ``(corner, 2)`` of all shapes, in rows and columns."""
        layer = self._layers.extra(_KEY)
        if layer is None:
            return []
        return [
            as_polygon(np.asarray(corners, float)[:, -2:], kind)
            for corners, kind in zip(layer.data, layer.shape_type, strict=True)
            if kind not in ("line", "path")
        ]
