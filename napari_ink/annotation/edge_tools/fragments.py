"""Fragments of edge lines: finding one under a click, short ones, line ends and the gaps between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation.labels import EdgeValue
from napari_ink.typing import Mask

EdgeLabels = npt.NDArray[np.uint8]
# Eight neighbours: a diagonal line is one line.
_ALL_AROUND = np.ones((3, 3), bool)


def fragment_at(edges: EdgeLabels, y: int, x: int, within_px: int = 4) -> Mask:
    """Return the connected edge line ``(y, x)`` nearest to a pixel; empty if none is within a few pixels.

    Parameters
    ----------
    edges
        Edge labels of a box.
    y, x
        Pixel, relative to the box.
    within_px
        Largest distance of the line, in pixels.
    """
    lines = edges == EdgeValue.EDGE
    rows, columns = np.nonzero(lines)
    if not rows.size:
        return np.zeros_like(lines)
    distance = np.hypot(rows - y, columns - x)
    nearest = int(np.argmin(distance))
    if distance[nearest] > within_px:
        return np.zeros_like(lines)
    labels, _ = ndimage.label(lines, _ALL_AROUND)
    fragment: Mask = labels == labels[rows[nearest], columns[nearest]]
    return fragment


def short_fragments(edges: EdgeLabels, shortest_px: int) -> Mask:
    """Return the edge lines ``(y, x)`` that are shorter than a number of pixels."""
    labels, number = ndimage.label(edges == EdgeValue.EDGE, _ALL_AROUND)
    sizes = np.bincount(labels.ravel(), minlength=number + 1)
    short: Mask = (sizes < shortest_px)[labels] & (labels > 0)
    return short


def line_ends(edges: EdgeLabels) -> npt.NDArray[np.intp]:
    """Return the pixels ``(n, 2)`` where an edge line ends: those with one neighbour on it at most."""
    lines = edges == EdgeValue.EDGE
    neighbours = ndimage.convolve(lines.astype(np.uint8), _ALL_AROUND.astype(np.uint8), mode="constant") - lines
    return np.argwhere(lines & (neighbours <= 1))


def nearest_end(edges: EdgeLabels, y: int, x: int, within_px: int = 8) -> tuple[int, int]:
    """Return the line end nearest to a pixel, or the pixel itself if none is within a few pixels."""
    ends = line_ends(edges)
    if not len(ends):
        return y, x
    distance = np.hypot(*(ends - (y, x)).T)
    nearest = int(np.argmin(distance))
    return (int(ends[nearest, 0]), int(ends[nearest, 1])) if distance[nearest] <= within_px else (y, x)


def gaps(edges: EdgeLabels, longest_px: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return pairs of line ends that face each other over a gap, nearest first; each end is in one pair at most.

    Two ends of one line are a pair too, if they are the gap of a ring: farther apart along the line than across.
    """
    from scipy.spatial import cKDTree

    ends = line_ends(edges)
    if len(ends) < 2:
        return []
    labels, number = ndimage.label(edges == EdgeValue.EDGE, _ALL_AROUND)
    of_line = labels[ends[:, 0], ends[:, 1]]
    length = np.bincount(labels.ravel(), minlength=number + 1)
    pairs = cKDTree(ends).query_pairs(longest_px, output_type="ndarray")
    distance = np.hypot(*(ends[pairs[:, 0]] - ends[pairs[:, 1]]).T)
    used: set[int] = set()
    found = []
    for place in np.argsort(distance, kind="stable"):
        one, other = (int(end) for end in pairs[place])
        is_short_stub = of_line[one] == of_line[other] and length[of_line[one]] < 3 * distance[place]
        if one in used or other in used or is_short_stub:
            continue
        used |= {one, other}
        found.append((tuple(ends[one].tolist()), tuple(ends[other].tolist())))
    return found
