"""Masks as polygons along the pixels' edges, and polygons as masks; a round trip changes nothing.

Points are ``(y, x)`` corners of pixels: the pixel of row r and column c covers r…r+1 and c…c+1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_ink.typing import Mask

Ring = npt.NDArray[np.int64]
Points = npt.NDArray[np.floating | np.integer]
FillRule = Literal["evenodd", "nonzero"]
# Limits that bound memory: pixels of a band, and crossings that are sorted at once.
_BAND_PX = 2**24
_CROSSINGS_AT_ONCE = 2**21
_EAST, _SOUTH, _WEST, _NORTH = range(4)


@dataclass(frozen=True, eq=False)
class Polygon:
    """One connected piece of a mask: its outline, and those of its holes.

    Each ring is ``(n, 2)`` int64, corners ``(y, x)`` in order, the first not repeated. No ring meets itself, but two
    rings may touch in a point. Outlines run clockwise on the screen, holes counterclockwise.
    """

    outline: Ring
    holes: tuple[Ring, ...]


def trace(mask: Mask) -> list[Polygon]:
    """Return the polygons of a mask ``(y, x)``, one for each piece; pixels that share only a corner are separate."""
    if not mask.any():
        return []
    from scipy import ndimage

    runs = _runs(mask)
    pieces, number = ndimage.label(mask)
    piece_of = pieces[runs.inside[:, 0], runs.inside[:, 1]]
    outlines: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {piece: [] for piece in range(1, number + 1)}
    # The sign of its area tells an outline from a hole, since runs have the mask to their right.
    for ring in _rings(runs):
        corners, piece = runs.begins[ring], int(piece_of[ring[0]])
        if _area(corners) > 0:
            outlines[piece] = corners
        else:
            holes[piece].append(corners)
    return [Polygon(outlines[piece], tuple(holes[piece])) for piece in sorted(outlines)]


def fill(rings: Sequence[Points], shape: tuple[int, int], rule: FillRule = "evenodd") -> Mask:
    """Return the mask of the pixels whose centre lies inside `rings`.

    Parameters
    ----------
    rings
        Closed polygons, ``(n, 2)`` points ``(y, x)``; parts outside `shape` are ignored.
    shape
        Height and width of the mask.
    rule
        Even-odd: a centre is inside if an odd number of rings surrounds it; nonzero: if its winding number is not 0.
    """
    out = np.zeros(shape, np.bool_)
    for rows, columns, inside in filled(rings, shape, rule):
        out[rows, columns] = inside
    return out


def filled(
    rings: Sequence[Points], shape: tuple[int, int], rule: FillRule = "evenodd"
) -> Iterator[tuple[slice, slice, Mask]]:
    """Yield the mask of `fill` in bands of the box around the rings, so that memory does not grow with the box.

    Yields
    ------
    tuple of slice, slice and Mask
        Rows and columns of the band, and which of its pixels lie inside.
    """
    begin, end = _sides(rings)
    top, bottom, left, right = box_of(rings, shape)
    begin, end = begin - (top, left), end - (top, left)
    step = max(_BAND_PX // max(right - left, 1), 1)
    for first in range(0, bottom - top, step):
        last = min(first + step, bottom - top)
        inside = _band(begin, end, (first, last), right - left, rule)
        yield slice(top + first, top + last), slice(left, right), inside


def box_of(rings: Sequence[Points], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the box around rings, half open and clipped to `shape`.

    The box is empty if it lies outside.
    """
    points = [ring for ring in rings if len(ring) > 2]
    if not points:
        return 0, 0, 0, 0
    corners = np.concatenate(points).astype(np.float64)
    top, left = np.clip(np.floor(corners.min(axis=0)), 0, shape).astype(int).tolist()
    bottom, right = np.clip(np.ceil(corners.max(axis=0)), 0, shape).astype(int).tolist()
    return (top, bottom, left, right) if top < bottom and left < right else (0, 0, 0, 0)


def _sides(rings: Sequence[Points]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    points = [np.asarray(ring, np.float64) for ring in rings if len(ring) > 2] or [np.zeros((0, 2))]
    return np.concatenate(points), np.concatenate([np.roll(ring, -1, axis=0) for ring in points])


def _band(
    begin: npt.NDArray[np.float64], end: npt.NDArray[np.float64], rows: tuple[int, int], width: int, rule: FillRule
) -> Mask:
    """Return the pixels of some rows that lie inside, by scan conversion: each crossing of a side toggles them."""
    # `combine.at` and not indexing: several sides may cross a row at the same pixel.
    odd = rule == "evenodd"
    turns = np.zeros((rows[1] - rows[0], width + 1), np.uint8 if odd else np.int32)
    combine = np.bitwise_xor if odd else np.add
    for row, column, direction in _crossings(begin, end, rows, width):
        combine.at(turns, (row - rows[0], column), 1 if odd else direction)
    combine.accumulate(turns, axis=1, out=turns)
    inside: Mask = turns[:, :-1] != 0
    return inside


def _crossings(
    begin: npt.NDArray[np.float64], end: npt.NDArray[np.float64], rows: tuple[int, int], width: int
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int32]]]:
    """Yield the crossings of sides with the rows of pixel centres, a limited number at once.

    Yields
    ------
    tuple of NDArray
        The row, the first pixel to the right of the crossing, and 1 for a side that runs down, -1 for one that runs up.
    """
    low, high = np.minimum(begin[:, 0], end[:, 0]), np.maximum(begin[:, 0], end[:, 0])
    first = np.clip(np.ceil(low - 0.5), *rows).astype(np.intp)
    number = np.clip(np.ceil(high - 0.5), *rows).astype(np.intp) - first
    crossing = np.flatnonzero(number)
    total = np.cumsum(number[crossing])
    cuts = np.searchsorted(total, np.arange(_CROSSINGS_AT_ONCE, total[-1] if len(total) else 0, _CROSSINGS_AT_ONCE))
    for part in np.split(crossing, np.unique(cuts)):
        count = number[part]
        side = np.repeat(part, count)
        row = np.arange(len(side)) - np.repeat(np.cumsum(count) - count, count) + first[side]
        (y0, x0), (y1, x1) = begin[side].T, end[side].T
        at = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        yield row, np.clip(np.ceil(at - 0.5), 0, width).astype(np.intp), np.where(y1 > y0, 1, -1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Straight runs of all outlines, directed so that the mask lies to the right of each.

    Arrays with an entry for each run: corners ``(n, 2)`` of its beginning and end, a pixel inside, and its direction.
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
    """Return the line, start and end (exclusive) of each run of true values along the lines."""
    change = np.diff(np.pad(along, ((0, 0), (1, 1))).view(np.int8), axis=1)
    lines, firsts = np.nonzero(change == 1)
    return lines, firsts, np.nonzero(change == -1)[1]


def _rings(runs: _Runs) -> Iterator[list[int]]:
    """Yield the rings that the runs form; a ring that touches itself in a corner is split there."""
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
    """Return for each run the next one, which begins where it ends; of two, the one that turns right."""
    # Turning right keeps pixels that share only a corner in separate pieces.
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
