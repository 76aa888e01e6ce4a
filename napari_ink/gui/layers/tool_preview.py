"""Preview of what a tool will do, as thin bright lines in a vectors layer, the kind that napari draws fastest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Vectors
from skimage.measure import approximate_polygon

# Yellow of the palette of Okabe & Ito: distinct from ink, papyrus and edges for colour-blind users, bright on papyrus.
_COLOUR = (0.94, 0.89, 0.26, 1.0)
_MARK_PX = 4.0
_TOLERANCE_PX = 0.7
# napari 0.9 fails to draw an empty layer of vectors in a 3-D view, so the layer holds one of no size instead.
_NOTHING = np.zeros((1, 2, 2), np.float32)
Points = npt.NDArray[Any] | Sequence[tuple[float, float]]


class ToolPreview:
    """Vectors layer with paths, anchors and boxes.

    Attributes
    ----------
    layer : Vectors
        Layer with the lines; the caller adds it to a viewer.
    is_empty : bool
        Whether nothing is drawn.
    """

    def __init__(self) -> None:
        self.is_empty = True
        self.layer = Vectors(
            _NOTHING, name="Marks", edge_color=[_COLOUR], edge_width=1.5, vector_style="line", opacity=1.0
        )

    def draw(
        self,
        paths: Iterable[Points] = (),
        anchors: Iterable[tuple[float, float]] = (),
        boxes: Iterable[tuple[float, float, float, float]] = (),
    ) -> None:
        """Draw lines in place of the previous ones.

        Parameters
        ----------
        paths
            Points ``(n, 2)`` of (y, x) to connect.
        anchors
            Points to mark with a cross.
        boxes
            Rectangles, ``y0, y1, x0, x1`` each.
        """
        lines = [_joined(path) for path in paths]
        lines.extend(_cross(y, x) for y, x in anchors)
        lines.extend(_joined([(y0, x0), (y0, x1), (y1, x1), (y1, x0), (y0, x0)]) for y0, y1, x0, x1 in boxes)
        found = [line for line in lines if len(line)]
        self.layer.data = np.concatenate(found) if found else _NOTHING
        self.is_empty = not found

    def clear(self) -> None:
        """Remove all lines."""
        if not self.is_empty:
            self.draw()


def _joined(points: Points) -> npt.NDArray[np.float32]:
    # Fewer corners draw faster, and a difference of less than a pixel is invisible.
    if len(points) < 2:
        return np.zeros((0, 2, 2), np.float32)
    corners = approximate_polygon(np.asarray(points, np.float32).reshape(-1, 2), _TOLERANCE_PX)
    return np.array([(start, end - start) for start, end in pairwise(corners)], np.float32).reshape(-1, 2, 2)


def _cross(y: float, x: float) -> npt.NDArray[np.float32]:
    return np.array([((y - _MARK_PX, x), (2 * _MARK_PX, 0)), ((y, x - _MARK_PX), (0, 2 * _MARK_PX))], np.float32)
