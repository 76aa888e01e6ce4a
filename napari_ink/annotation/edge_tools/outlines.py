"""Conversion between ink and its outlines: edge lines around ink, and ink inside closed edge lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation.labels import EdgeValue, LabelValue
from napari_ink.typing import Mask


def edges_from_ink(ink: npt.NDArray[np.uint8]) -> Mask:
    """Return the outline ``(y, x)`` of ink labels: the outermost pixels of the ink, one pixel wide.

    Ink at the border of the array has no outline there, since it may continue beyond.
    """
    inside = ink == LabelValue.INK
    outline: Mask = inside & ~ndimage.binary_erosion(inside, border_value=1)
    return outline


def ink_from_edges(edges: npt.NDArray[np.uint8]) -> Mask:
    """Return the ink ``(y, x)`` inside closed edge lines, the lines around it included.

    Regions inside an even number of outlines, such as the hole of a ring, are not ink; neither are regions that touch
    the border of the array.
    """
    lines: Mask = edges == EdgeValue.EDGE
    regions, number = ndimage.label(~lines)
    depth = np.full(number + 1, -1)
    rim = np.concatenate((regions[0], regions[-1], regions[:, 0], regions[:, -1]))
    frontier = set(np.unique(rim).tolist()) - {0}
    depth[list(frontier)] = 0
    neighbours = _neighbours(regions)
    level = 0
    # Breadth-first search from the border: a region's depth is the number of lines between it and the border.
    while frontier:
        level += 1
        frontier = {other for one in frontier for other in neighbours.get(one, ()) if depth[other] < 0}
        depth[list(frontier)] = level
    is_inside = depth % 2 == 1
    is_inside[0] = False
    inside: Mask = is_inside[regions]
    inside |= lines & ndimage.binary_dilation(inside, np.ones((3, 3), bool))
    return inside


def _neighbours(regions: npt.NDArray[np.int32]) -> dict[int, set[int]]:
    """Return for each region those across a line from it, which are within two pixels."""
    found: dict[int, set[int]] = {}
    for dy, dx in ((0, 2), (2, 0), (2, 2), (2, -2), (1, 2), (2, 1), (1, -2), (2, -1)):
        top, bottom = regions[: regions.shape[0] - dy], regions[dy:]
        if dx >= 0:
            one, other = top[:, : top.shape[1] - dx], bottom[:, dx:]
        else:
            one, other = top[:, -dx:], bottom[:, :dx]
        differ = (one != other) & (one > 0) & (other > 0)
        for a, b in np.unique(np.stack((one[differ], other[differ]), axis=1), axis=0).tolist():
            found.setdefault(a, set()).add(b)
            found.setdefault(b, set()).add(a)
    return found
