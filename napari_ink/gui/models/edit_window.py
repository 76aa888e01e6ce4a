"""The part of a segment in the editable layers: all of it when it is small, else a window that follows the view.

Labels layers larger than a texture of the graphics card are drawn coarsely and slowly, so a large segment is edited
through a window. What is drawn there lands in the annotation store at once; the window holds nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ink.typing import UInt8Array

WINDOW_PX = 4096
_STEP_PX = 512
Slices = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class EditWindow:
    """A part of a segment, in full-resolution pixels, half open."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    def holds(self, other: EditWindow) -> bool:
        """Whether another part lies within this one."""
        return self.y0 <= other.y0 and other.y1 <= self.y1 and self.x0 <= other.x0 and other.x1 <= self.x1

    def joined(self, other: EditWindow) -> EditWindow:
        """Return the least part that holds both."""
        return EditWindow(
            min(self.y0, other.y0), max(self.y1, other.y1), min(self.x0, other.x0), max(self.x1, other.x1)
        )

    def slices_of(self, y: int, x: int, shape: tuple[int, int]) -> tuple[Slices, Slices] | None:
        """Return where a block overlaps the window: slices into the window and into the block, or None."""
        top, bottom = max(y, self.y0), min(y + shape[0], self.y1)
        left, right = max(x, self.x0), min(x + shape[1], self.x1)
        if top >= bottom or left >= right:
            return None
        here = slice(top - self.y0, bottom - self.y0), slice(left - self.x0, right - self.x0)
        return here, (slice(top - y, bottom - y), slice(left - x, right - x))


def window_for(view: EditWindow | None, shape: tuple[int, int], side: int = WINDOW_PX) -> EditWindow:
    """Return the window to edit through while `view` is in sight.

    Parameters
    ----------
    view
        What is in sight; None stands for the middle of the segment.
    shape
        The segment's height and width in pixels.
    side
        The largest height and width of a window in pixels.
    """
    centre = (shape[0] / 2, shape[1] / 2) if view is None else ((view.y0 + view.y1) / 2, (view.x0 + view.x1) / 2)
    (y0, y1), (x0, x1) = (_span(middle, length, side) for middle, length in zip(centre, shape, strict=True))
    return EditWindow(y0, y1, x0, x1)


def must_move(window: EditWindow, view: EditWindow, shape: tuple[int, int], side: int = WINDOW_PX) -> bool:
    """Whether something in sight lies outside the window, though a window could hold it."""
    return _leaves(window.y0, window.y1, view.y0, view.y1, shape[0], side) or _leaves(
        window.x0, window.x1, view.x0, view.x1, shape[1], side
    )


def changed_bounds(now: UInt8Array, before: UInt8Array) -> EditWindow | None:
    """Return the least rectangle that holds every pixel in which two arrays ``(y, x)`` of one shape differ, or None."""
    differs = now != before
    rows = np.flatnonzero(differs.any(axis=1))
    if not rows.size:
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(differs[y0:y1].any(axis=0))
    return EditWindow(y0, y1, int(columns[0]), int(columns[-1]) + 1)


def _span(middle: float, length: int, side: int) -> tuple[int, int]:
    if length <= side:
        return 0, length
    start = round((middle - side / 2) / _STEP_PX) * _STEP_PX
    start = min(max(start, 0), length - side)
    return start, start + side


def _leaves(start: int, end: int, seen_from: int, seen_to: int, length: int, side: int) -> bool:
    # A window starts on a multiple of its step, so it may miss the view's outermost pixels by less than that.
    middle, reach = (seen_from + seen_to) // 2, side // 2 - _STEP_PX
    first, last = max(seen_from, middle - reach, 0), min(seen_to, middle + reach, length)
    return first < last and not (start <= first and last <= end)
