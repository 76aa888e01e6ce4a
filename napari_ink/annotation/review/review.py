"""Review: the regions of a segment that were reviewed, and what this means for unlabelled pixels."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from napari_ink.annotation.labels import LabelValue
from napari_ink.annotation.store.edits import REGION_PX

ReviewCell = tuple[int, int]


class ReviewState(IntEnum):
    """State of a region's review."""

    UNREVIEWED = 0
    IN_PROGRESS = 1
    REVIEWED = 2
    FLAGGED = 3


def cell_at(y: float, x: float) -> ReviewCell:
    """Return the row and column of the region that contains a pixel."""
    return int(y) // REGION_PX, int(x) // REGION_PX


def cell_bounds(region: ReviewCell, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return ``y0, y1, x0, x1`` of a region in pixels, clipped to the segment."""
    y, x = region[0] * REGION_PX, region[1] * REGION_PX
    return y, min(y + REGION_PX, shape[0]), x, min(x + REGION_PX, shape[1])


def supervision(
    ink: npt.NDArray[np.uint8], review: npt.NDArray[np.uint8], y: int = 0, x: int = 0
) -> npt.NDArray[np.bool_]:
    """Return a mask of the reviewed pixels: labelled ones and all of reviewed regions, but none of flagged regions.

    Parameters
    ----------
    ink
        Ink labels ``(y, x)`` of a part of the segment.
    review
        The review plane of the whole segment.
    y, x
        First row and column of the part, in segment pixels.
    """
    states = _states(ink.shape, review, y, x)
    labelled = ink != LabelValue.UNREVIEWED
    seen: npt.NDArray[np.bool_] = (labelled & (states != ReviewState.FLAGGED)) | (states == ReviewState.REVIEWED)
    return seen


def labels_to_learn_from(
    ink: npt.NDArray[np.uint8], review: npt.NDArray[np.uint8], y: int = 0, x: int = 0
) -> npt.NDArray[np.uint8]:
    """Return ink labels ``(y, x)`` for training, in which unlabelled pixels of reviewed regions are papyrus.

    Parameters
    ----------
    ink, review, y, x
        As for `supervision`.
    """
    seen = supervision(ink, review, y, x)
    # In a reviewed region all ink is labelled, so its other pixels are papyrus.
    complete = np.where(ink == LabelValue.UNREVIEWED, LabelValue.PAPYRUS, ink)
    return np.where(seen, complete, LabelValue.UNREVIEWED).astype(np.uint8)


def _states(shape: tuple[int, ...], review: npt.NDArray[np.uint8], y: int, x: int) -> npt.NDArray[np.uint8]:
    rows, columns = (np.arange(start, start + length) // REGION_PX for start, length in zip((y, x), shape, strict=True))
    return review[rows[:, None], columns[None, :]]
