"""Outlines of regions to predict: their bounding box, and the pixels inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ink.region import Region

_ELLIPSE_CORNERS = 64
Polygon = npt.NDArray[np.float64]


def as_polygon(corners: Polygon, kind: str) -> Polygon:
    """Return the outline ``(corner, 2)`` of one of napari's shapes, in rows and columns."""
    if kind != "ellipse":
        return corners
    # napari stores the corners of the bounding box of an ellipse.
    middle = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: Polygon = middle + np.cos(angles) * first + np.sin(angles) * second
    return outline


def around(polygons: Sequence[Polygon], shape: tuple[int, int]) -> Region | None:
    """Return the bounding box of polygons, clipped to the segment; None if no pixel centre lies in it."""
    from napari_ink.region import Region

    if not polygons:
        return None
    corners = np.concatenate(polygons)
    (y0, x0), (y1, x1) = np.ceil(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    y0, x0 = max(int(y0), 0), max(int(x0), 0)
    y1, x1 = min(int(y1), shape[0]), min(int(x1), shape[1])
    return Region(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def is_upright_box(polygons: Sequence[Polygon]) -> bool:
    """Whether there is a single polygon that equals its bounding box."""
    if len(polygons) != 1 or len(polygons[0]) != 4:
        return False
    sides = np.diff(polygons[0], axis=0, append=polygons[0][:1]) != 0
    # Each side changes either the row or the column, and the next side changes the other one.
    return bool((sides.sum(axis=1) == 1).all() and (sides[:-1, 0] != sides[1:, 0]).all())


def inside(polygons: Sequence[Polygon], region: Region) -> npt.NDArray[np.bool_]:
    """Return which pixels of a region lie in any of the polygons.

    In napari, the centre of a pixel has whole coordinates; a pixel lies in a shape if its centre does. If an outline
    crosses itself, parts that it encloses twice are outside.
    """
    found = np.zeros(region.shape, bool)
    for corners in polygons:
        _fill(found, corners, region)
    return found


def _fill(found: npt.NDArray[np.bool_], corners: Polygon, region: Region) -> None:
    """Set the pixels in one polygon: along each row, each crossing of the outline switches between in and out.

    Crossings are computed in pixels of the segment, so that rounding does not depend on the region.
    """
    # Not `skimage.draw.polygon2mask`, which counts other pixels on the outline as inside.
    first = min(max(int(np.ceil(corners[:, 0].min())), region.y0), region.y1)
    last = min(max(int(np.ceil(corners[:, 0].max())), first), region.y1)
    turns = np.zeros((last - first, region.width + 1), bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (y0, x0), (y1, x1) = sorted((tuple(start), tuple(end)))
        rows = np.arange(max(int(np.ceil(y0)), first), min(int(np.ceil(y1)), last))
        if len(rows):  # a horizontal side crosses no row
            crossings = np.ceil(x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))) - region.x0
            turns[rows - first, np.clip(crossings, 0, region.width).astype(int)] ^= True
    found[first - region.y0 : last - region.y0] |= np.logical_xor.accumulate(turns[:, : region.width], axis=1)
