"""Livewire: an outline that follows edges from anchor to anchor.

The path between two anchors is the cheapest one over the edge costs, found by Dijkstra's algorithm (Mortensen & Barrett
1995) in scikit-image. When an anchor is set, the cheapest paths from it to everywhere near it are found once; following
the mouse then only walks one of them back. Farther off the costs are taken coarser, so that no step takes long.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from skimage.graph import MCP_Geometric

Path = npt.NDArray[np.intp]
Point = tuple[int, int]
# How far from the anchor each level reaches, and how many pixels a side are one in it: each is 161 squares a side.
_LEVELS = ((80, 1), (160, 2), (320, 4), (640, 8))
ReadCost = Callable[[int, int, int, int, int], npt.NDArray[np.float32]]


class Livewire:
    """An outline that is being drawn.

    Parameters
    ----------
    shape
        The segment's height and width in pixels.
    read_cost
        Called with ``y0, y1, x0, x1, step``; returns the cost of each square of `step` pixels in that box.

    Attributes
    ----------
    anchors : list of tuple
        The points ``(y, x)`` set so far.
    """

    def __init__(self, shape: tuple[int, int], read_cost: ReadCost) -> None:
        self.anchors: list[Point] = []
        self._shape, self._read_cost = shape, read_cost
        self._paths: list[Path] = []
        self._levels: dict[int, _Level] = {}

    def path_to(self, y: int, x: int, straight: bool = False) -> Path:
        """Return the path ``(n, 2)`` from the last anchor to a pixel, both included; empty without an anchor."""
        if not self.anchors:
            return np.empty((0, 2), np.intp)
        return self._way(self.anchors[-1], self._inside(y, x), straight, self._levels)

    def add(self, y: int, x: int, straight: bool = False) -> None:
        """Add an anchor, connected to the one before along edges or by a straight line."""
        point = self._inside(y, x)
        if self.anchors:
            self._paths.append(self.path_to(*point, straight=straight))
        self.anchors.append(point)
        self._levels = {}

    def remove_last(self) -> None:
        """Remove the last anchor."""
        if self.anchors:
            self.anchors.pop()
            del self._paths[max(len(self.anchors) - 1, 0) :]
            self._levels = {}

    def move(self, number: int, y: int, x: int) -> None:
        """Move an anchor; the paths from and to it are computed again."""
        self.anchors[number] = self._inside(y, x)
        for before in (number - 1, number):
            if 0 <= before < len(self._paths):
                self._paths[before] = self._way(self.anchors[before], self.anchors[before + 1], False, {})
        self._levels = {}

    def clear(self) -> None:
        """Remove all anchors."""
        self.anchors, self._paths, self._levels = [], [], {}

    def contour(self, closed: bool = False) -> Path:
        """Return the outline so far ``(n, 2)``; `closed` connects it with the first anchor along edges."""
        parts = list(self._paths)
        if closed and len(self.anchors) > 1:
            parts.append(self._way(self.anchors[-1], self.anchors[0], False, self._levels))
        elif not parts and self.anchors:
            parts.append(np.array(self.anchors, np.intp))
        return np.concatenate(parts) if parts else np.empty((0, 2), np.intp)

    def _inside(self, y: int, x: int) -> Point:
        return min(max(y, 0), self._shape[0] - 1), min(max(x, 0), self._shape[1] - 1)

    def _way(self, start: Point, end: Point, straight: bool, levels: dict[int, _Level]) -> Path:
        distance = max(abs(start[0] - end[0]), abs(start[1] - end[1]))
        if not straight:
            for reach, step in _LEVELS:
                if distance <= reach:
                    if reach not in levels:
                        levels[reach] = _Level(start, reach, step, self._shape, self._read_cost)
                    return levels[reach].way(start, end)
        return straight_path(start, end)


class _Level:
    """The cheapest paths from one anchor to every square within reach."""

    def __init__(self, anchor: Point, reach: int, step: int, shape: tuple[int, int], read_cost: ReadCost) -> None:
        self._y0, self._x0 = (max(place - reach, 0) // step * step for place in anchor)
        y1, x1 = (min(place + reach + 1, length) for place, length in zip(anchor, shape, strict=True))
        self._step = step
        self._ways = MCP_Geometric(read_cost(self._y0, y1, self._x0, x1, step))
        self._ways.find_costs([self._square(anchor)])

    def way(self, start: Point, end: Point) -> Path:
        squares = np.array(self._ways.traceback(self._square(end)), np.intp)
        path = squares * self._step + self._step // 2 + (self._y0, self._x0)
        # The path runs through centres of squares, which are only near the two ends, so the ends are set exactly.
        path[0], path[-1] = start, end
        return path if len(path) > 1 or start == end else np.array([start, end], np.intp)

    def _square(self, point: Point) -> Point:
        return (point[0] - self._y0) // self._step, (point[1] - self._x0) // self._step


def straight_path(start: Point, end: Point) -> Path:
    """Return the pixels ``(n, 2)`` of a straight line, both ends included."""
    from skimage.draw import line

    return np.stack(line(*start, *end), axis=1)  # type: ignore[no-untyped-call]


def region_inside(contour: Path) -> tuple[int, int, npt.NDArray[np.bool_]]:
    """Return the region inside a closed outline, outline included: first row and column of its box, and its mask."""
    from skimage.draw import polygon2mask

    (y0, x0), (y1, x1) = contour.min(axis=0), contour.max(axis=0)
    mask: npt.NDArray[np.bool_] = polygon2mask((y1 - y0 + 1, x1 - x0 + 1), contour - (y0, x0))  # type: ignore[no-untyped-call]
    # polygon2mask leaves out part of the outline's own pixels.
    for start, end in zip(contour, np.roll(contour, -1, axis=0), strict=True):
        rows, columns = straight_path(tuple(start - (y0, x0)), tuple(end - (y0, x0))).T
        mask[rows, columns] = True
    return int(y0), int(x0), mask
