"""Outlines of what is to be predicted: the box around them, and the pixels in them."""

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
    # Its data are the corners of the box around it.
    middle = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: Polygon = middle + np.cos(angles) * first + np.sin(angles) * second
    return outline


def around(polygons: Sequence[Polygon], shape: tuple[int, int]) -> Region | None:
    """Return the pixels of a segment whose middles lie in the box around polygons; None where none does."""
    from napari_ink.region import Region

    if not polygons:
        return None
    corners = np.concatenate(polygons)
    (y0, x0), (y1, x1) = np.ceil(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    y0, x0 = max(int(y0), 0), max(int(x0), 0)
    y1, x1 = min(int(y1), shape[0]), min(int(x1), shape[1])
    return Region(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def is_upright_box(polygons: Sequence[Polygon]) -> bool:
    """Whether the box around polygons says all of them: there is one, a rectangle along rows and columns."""
    if len(polygons) != 1 or len(polygons[0]) != 4:
        return False
    sides = np.diff(polygons[0], axis=0, append=polygons[0][:1]) != 0
    # Each side runs along one of the two, and the next along the other.
    return bool((sides.sum(axis=1) == 1).all() and (sides[:-1, 0] != sides[1:, 0]).all())


def inside(polygons: Sequence[Polygon], region: Region) -> npt.NDArray[np.bool_]:
    """Return which pixels of a region lie in any of the polygons.

    A pixel is a square around whole numbers in napari; it belongs to a shape that its middle lies in. Where an outline
    crosses itself, what it goes around twice is outside.
    """
    found = np.zeros(region.shape, bool)
    for corners in polygons:
        _fill(found, corners, region)
    return found


def _fill(found: npt.NDArray[np.bool_], corners: Polygon, region: Region) -> None:
    """Set what lies in one polygon: along each row, every crossing of the outline goes in or out.

    Crossings are worked out in pixels of the segment, so that rounding is the same whatever part is asked for.
    """
    first = min(max(int(np.ceil(corners[:, 0].min())), region.y0), region.y1)
    last = min(max(int(np.ceil(corners[:, 0].max())), first), region.y1)
    turns = np.zeros((last - first, region.width + 1), bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (y0, x0), (y1, x1) = sorted((tuple(start), tuple(end)))
        rows = np.arange(max(int(np.ceil(y0)), first), min(int(np.ceil(y1)), last))
        if len(rows):  # so a side along a row is none
            crossings = np.ceil(x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))) - region.x0
            turns[rows - first, np.clip(crossings, 0, region.width).astype(int)] ^= True
    found[first - region.y0 : last - region.y0] |= np.logical_xor.accumulate(turns[:, : region.width], axis=1)
