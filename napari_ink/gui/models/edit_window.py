"""Edit window: the part of a segment in the editable layers, which follows the view of a large segment.

Labels layers larger than a texture of the graphics card are drawn coarsely and slowly, so a large segment is edited
through a window. Strokes are written to the annotation store at once, so the window can move at any time.
"""

from __future__ import annotations

import numpy as np

from napari_ink.region import Region
from napari_ink.typing import UInt8Array

WINDOW_PX = 4096
_STEP_PX = 512


def window_for(view: Region | None, shape: tuple[int, int], side: int = WINDOW_PX) -> Region:
    """Return the edit window for a visible region.

    Parameters
    ----------
    view
        Visible region; None for the middle of the segment.
    shape
        The segment's height and width in pixels.
    side
        The largest height and width of a window in pixels.
    """
    centre = (shape[0] / 2, shape[1] / 2) if view is None else ((view.y0 + view.y1) / 2, (view.x0 + view.x1) / 2)
    (y0, y1), (x0, x1) = (_span(middle, length, side) for middle, length in zip(centre, shape, strict=True))
    return Region(y0, y1, x0, x1)


def must_move(window: Region, view: Region, shape: tuple[int, int], side: int = WINDOW_PX) -> bool:
    """Whether part of the visible region lies outside the window, although a window could contain it."""
    return _leaves(window.y0, window.y1, view.y0, view.y1, shape[0], side) or _leaves(
        window.x0, window.x1, view.x0, view.x1, shape[1], side
    )


def changed_bounds(now: UInt8Array, before: UInt8Array) -> Region | None:
    """Return the smallest rectangle with all pixels in which two arrays of one shape differ; None if none do."""
    differs = now != before
    rows = np.flatnonzero(differs.any(axis=1))
    if not rows.size:
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(differs[y0:y1].any(axis=0))
    return Region(y0, y1, int(columns[0]), int(columns[-1]) + 1)


def _span(middle: float, length: int, side: int) -> tuple[int, int]:
    if length <= side:
        return 0, length
    # Steps, so that a small move of the view does not move the window, which has to be read again.
    start = round((middle - side / 2) / _STEP_PX) * _STEP_PX
    start = min(max(start, 0), length - side)
    return start, start + side


def _leaves(start: int, end: int, seen_from: int, seen_to: int, length: int, side: int) -> bool:
    # A window starts on a multiple of its step, so it may miss the view's outermost pixels by less than that.
    middle, reach = (seen_from + seen_to) // 2, side // 2 - _STEP_PX
    first, last = max(seen_from, middle - reach, 0), min(seen_to, middle + reach, length)
    return first < last and not (start <= first and last <= end)
