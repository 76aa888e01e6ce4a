"""Two ways of saying the same: closed edge lines enclose ink, and ink has outlines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation.labels import EdgeValue, LabelValue
from napari_ink.typing import Mask


def edges_from_ink(ink: npt.NDArray[np.uint8]) -> Mask:
    """Return the outline ``(y, x)`` of ink labels: the ink's own outermost pixels, one pixel wide.

    Where ink goes on beyond the border of the array, the border is no outline.
    """
    inside = ink == LabelValue.INK
    outline: Mask = inside & ~ndimage.binary_erosion(inside, border_value=1)
    return outline


def ink_from_edges(edges: npt.NDArray[np.uint8]) -> Mask:
    """Return what closed edge lines ``(y, x)`` enclose, the lines that enclose it included.

    What lies at an even number of outlines deep, as the hole of a ring does, is not ink; what is open, or touches the
    border of the array, is not enclosed.
    """
    lines: Mask = edges == EdgeValue.EDGE
    regions, number = ndimage.label(~lines)
    depth = np.full(number + 1, -1)
    rim = np.concatenate((regions[0], regions[-1], regions[:, 0], regions[:, -1]))
    frontier = set(np.unique(rim).tolist()) - {0}
    depth[list(frontier)] = 0
    neighbours = _neighbours(regions)
    level = 0
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
    """Return which regions lie on two sides of one line: within two pixels of each other."""
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
