"""Masks as polygons along the pixels' own edges, and polygons as masks: there and back nothing changes.

Points are ``(y, x)`` corners of pixels: the pixel of row r and column c covers r…r+1 and c…c+1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_EAST, _SOUTH, _WEST, _NORTH = range(4)


@dataclass(frozen=True, eq=False)
class Polygon:
    """One connected piece of a mask: its outline, and those of its holes.

    Each ring is ``(n, 2)`` int64, corners ``(y, x)`` in order, the first not repeated. None meets itself; two may
    touch in a point. Outlines run clockwise on the screen, holes the other way.
    """

    outline: Ring
    holes: tuple[Ring, ...]


def trace(mask: Mask) -> list[Polygon]:
    """Return the polygons of a mask ``(y, x)``, one for each piece; pixels that only touch by a corner are apart."""
    if not mask.any():
        return []
    from scipy import ndimage

    runs = _runs(mask)
    pieces, number = ndimage.label(mask)
    piece_of = pieces[runs.inside[:, 0], runs.inside[:, 1]]
    outlines: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {piece: [] for piece in range(1, number + 1)}
    for ring in _rings(runs):
        corners, piece = runs.begins[ring], int(piece_of[ring[0]])
        if _area(corners) > 0:
            outlines[piece] = corners
        else:
            holes[piece].append(corners)
    return [Polygon(outlines[piece], tuple(holes[piece])) for piece in sorted(outlines)]


def fill(rings: Sequence[npt.NDArray[np.floating | np.integer]], shape: tuple[int, int]) -> Mask:
    """Return the mask of the pixels whose centre lies inside an odd number of `rings`.

    Parameters
    ----------
    rings
        Closed polygons of any slope, ``(n, 2)`` points ``(y, x)``; what lies outside of `shape` is cut off.
    shape
        Height and width of the mask.
    """
    out = np.zeros(shape, np.bool_)
    points = [np.asarray(ring, np.float64) for ring in rings if len(ring) > 2]
    if not points or not all(shape):
        return out
    ends = [(ring, np.roll(ring, -1, axis=0)) for ring in points]
    begin, end = (np.concatenate([pair[side] for pair in ends]) for side in (0, 1))
    low = np.clip(np.floor(np.concatenate(points).min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(np.concatenate(points).max(axis=0)), 0, shape).astype(int)
    height, width = high - low
    if height <= 0 or width <= 0:
        return out
    rows, columns = _crossings(begin - low, end - low, height, width)
    toggles = np.zeros((height, width + 1), np.uint8)
    np.bitwise_xor.at(toggles, (rows, columns), 1)
    inside = np.bitwise_xor.accumulate(toggles, axis=1)[:, :-1]
    out[low[0] : high[0], low[1] : high[1]] = inside != 0
    return out


def _crossings(
    begin: npt.NDArray[np.float64], end: npt.NDArray[np.float64], height: int, width: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return row and column of the first pixel to the right of each place where a side crosses a row of centres."""
    top, bottom = np.minimum(begin[:, 0], end[:, 0]), np.maximum(begin[:, 0], end[:, 0])
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.intp)
    number = np.clip(np.ceil(bottom - 0.5), 0, height).astype(np.intp) - first
    side = np.repeat(np.arange(len(begin)), number)
    rows = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + first[side]
    (y0, x0), (y1, x1) = begin[side].T, end[side].T
    crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    return rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)


@dataclass(frozen=True, eq=False)
class _Runs:
    """The straight pieces of all outlines, directed so that the mask lies to the right of each.

    Corners where it begins and ends ``(n, 2)``, a pixel inside it, and the direction.
    """

    begins: Ring
    ends: Ring
    inside: Ring
    direction: npt.NDArray[np.int64]


def _runs(mask: Mask) -> _Runs:
    parts = []
    for direction in (_EAST, _WEST, _SOUTH, _NORTH):
        across = mask if direction in (_EAST, _WEST) else mask.T
        padded = np.pad(across, ((1, 1), (0, 0)))
        after_is_inside = direction in (_EAST, _NORTH)
        inside, outside = (padded[1:], padded[:-1]) if after_is_inside else (padded[:-1], padded[1:])
        line, first, last = _straight(inside & ~outside)
        pixel = np.stack([line if after_is_inside else line - 1, first], axis=1)
        begins, ends = np.stack([line, first], axis=1), np.stack([line, last], axis=1)
        if direction in (_WEST, _NORTH):
            begins, ends = ends, begins
        if direction in (_SOUTH, _NORTH):
            begins, ends, pixel = begins[:, ::-1], ends[:, ::-1], pixel[:, ::-1]
        parts.append((begins, ends, pixel, np.full(len(line), direction)))
    return _Runs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _straight(along: Mask) -> tuple[Ring, Ring, Ring]:
    """Return line, first and one past the last place of each run of true values along the lines."""
    change = np.diff(np.pad(along, ((0, 0), (1, 1))).view(np.int8), axis=1)
    lines, firsts = np.nonzero(change == 1)
    return lines, firsts, np.nonzero(change == -1)[1]


def _rings(runs: _Runs) -> Iterator[list[int]]:
    """Follow the runs around; a ring that meets itself in a corner is parted there."""
    span = int(runs.begins[:, 1].max()) + 1
    corner = runs.begins[:, 0] * span + runs.begins[:, 1]
    following, at = _following(runs, span).tolist(), corner.tolist()
    is_done = bytearray(len(at))
    for start in range(len(at)):
        ring, run = [], start
        while not is_done[run]:
            is_done[run] = 1
            ring.append(run)
            run = following[run]
        if ring:
            yield from _parted(ring, at)


def _following(runs: _Runs, span: int) -> npt.NDArray[np.intp]:
    """Return for each run the one that goes on where it ends: the one to the right, where there are two."""
    keys = (runs.begins[:, 0] * span + runs.begins[:, 1]) * 4 + runs.direction
    order = np.argsort(keys)
    ordered = keys[order]
    end = (runs.ends[:, 0] * span + runs.ends[:, 1]) * 4

    def find(direction: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], Mask]:
        wanted = end + direction % 4
        place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        return order[place], ordered[place] == wanted

    (right, is_right), (left, _) = find(runs.direction + 1), find(runs.direction + 3)
    return np.where(is_right, right, left)


def _parted(ring: list[int], at: list[int]) -> Iterator[list[int]]:
    seen: dict[int, int] = {}
    open_: list[int] = []
    for run in ring:
        corner = at[run]
        if (since := seen.get(corner)) is not None:
            yield open_[since:]
            for closed in open_[since:]:
                del seen[at[closed]]
            del open_[since:]
        seen[corner] = len(open_)
        open_.append(run)
    yield open_


def _area(ring: Ring) -> int:
    """Return twice the area inside; positive if the ring runs clockwise on the screen."""
    y, x = ring.T
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
