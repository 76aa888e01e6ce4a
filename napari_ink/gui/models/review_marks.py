"""Marks of reviewed regions: patterns of light and dark lines without a colour, since all hues stand for labels."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from napari_ink.annotation import ReviewState
from napari_ink.typing import UInt8Array


class Mark(IntEnum):
    """Values of a pattern: nothing, a light line, and the dark line beside it, so that one shows on any papyrus."""

    NONE = 0
    LIGHT = 1
    DARK = 2


MARK_RGBA: dict[Mark, tuple[float, float, float, float]] = {
    Mark.NONE: (0.0, 0.0, 0.0, 0.0),
    Mark.LIGHT: (1.0, 1.0, 1.0, 0.7),
    Mark.DARK: (0.0, 0.0, 0.0, 0.5),
}
MARKED_STATES = (ReviewState.REVIEWED, ReviewState.FLAGGED, ReviewState.IN_PROGRESS)
_LEAST_DASH, _LEAST_HATCH = 2, 5


def pattern(state: ReviewState, cells: int) -> UInt8Array:
    """Return the pattern of a state for a square of cells.

    A reviewed region has a frame, one in progress a dashed frame, and a flagged one a frame and oblique hatching.
    """
    made = np.full((cells, cells), Mark.NONE, np.uint8)
    if state not in MARKED_STATES:
        return made
    row, column = np.indices((cells, cells))
    to_border = np.minimum.reduce([row, column, cells - 1 - row, cells - 1 - column])
    if state is ReviewState.FLAGGED:
        oblique = (row + column) % max(_LEAST_HATCH, cells // 5)
        made[oblique == 0], made[oblique == 1] = Mark.LIGHT, Mark.DARK
    drawn = np.ones_like(to_border, np.bool_)
    if state is ReviewState.IN_PROGRESS:
        drawn = (row + column) // max(_LEAST_DASH, cells // 8) % 2 == 0
    made[drawn & (to_border == 1)], made[drawn & (to_border == 0)] = Mark.DARK, Mark.LIGHT
    return made


def all_patterns(cells: int) -> UInt8Array:
    """Return the patterns of all states ``(state, row, column)``, to be indexed by states."""
    return np.stack([pattern(ReviewState(state), cells) for state in range(max(ReviewState) + 1)])
