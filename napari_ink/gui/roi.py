"""Regions of interest: a layer of shapes that says what is to be predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from napari_ink.gui.layers import InkLayers
    from napari_ink.predict import Region

_KEY, _NAME = "roi", "Region of interest"
_SETTLE_MS = 400
_ELLIPSE_CORNERS = 64
_YELLOW = "#F0E442"  # of Okabe and Ito, apart from ink and edges
Polygon = npt.NDArray[np.float64]


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
            _as_polygon(np.asarray(corners, float)[:, -2:], kind)
            for corners, kind in zip(layer.data, layer.shape_type, strict=True)
            if kind not in ("line", "path")
        ]


def around(polygons: list[Polygon], shape: tuple[int, int]) -> Region | None:
    """Return what of a segment lies in the box around polygons; None where nothing does."""
    from napari_ink.predict import Region

    corners = np.concatenate(polygons) if polygons else np.zeros((0, 2))
    if not len(corners):
        return None
    (y0, x0), (y1, x1) = np.floor(corners.min(axis=0) + 0.5), np.floor(corners.max(axis=0) + 0.5)
    y0, x0 = max(int(y0), 0), max(int(x0), 0)
    y1, x1 = min(int(y1), shape[0]), min(int(x1), shape[1])
    return Region(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def inside(polygons: list[Polygon], region: Region) -> npt.NDArray[np.bool_]:
    """Return which pixels of a region lie in any of the polygons."""
    from skimage.draw import polygon2mask

    found = np.zeros(region.shape, bool)
    for corners in polygons:
        # A pixel is a square around whole numbers in napari; it belongs to a shape that its middle lies in.
        found |= polygon2mask(region.shape, corners - (region.y0, region.x0))
    return found


def _as_polygon(corners: Polygon, kind: str) -> Polygon:
    if kind != "ellipse":
        return corners
    # Its data are the corners of the box around it.
    middle = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: Polygon = middle + np.cos(angles) * first + np.sin(angles) * second
    return outline
