"""Two predictions of a segment, compared part by part: planes and differences that are computed when they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.predict.storage.store import Prediction, What
from napari_ink.predict.tiles import BLOCK
from napari_ink.typing import UInt8Array

ReadPart = Callable[[slice, slice], UInt8Array]
SAME = 128
"""Level of a difference where two predictions are the same, or where one of them has no value."""

_MOST_ROWS = 512


@dataclass(frozen=True, eq=False)
class PredictionDifference:
    """Differences between the probabilities of two predictions of the same segment.

    Attributes
    ----------
    first, second
        The predictions.
    what
        Plane to compare.

    Raises
    ------
    BadInputError
        If they are of segments of different sizes.
    """

    first: Prediction
    second: Prediction
    what: What = "ink"

    def __post_init__(self) -> None:
        if self.first.shape != self.second.shape:
            sizes = (f"{height} × {width}" for height, width in (self.first.shape, self.second.shape))
            raise BadInputError(
                f"{self.first.path.name} and {self.second.path.name} are of segments of different sizes "
                f"({' and '.join(sizes)} pixels); compare two predictions of one segment."
            )

    def read(self, y: slice, x: slice) -> UInt8Array:
        """Return the differences in a part of the segment, ``(y, x)`` uint8.

        `SAME` plus half of the first level less the second: above `SAME` where the first predicts more. Pixels that are
        not final in both are `SAME`.
        """
        difference = self.first.read(self.what, y, x).astype(np.int16)
        difference -= self.second.read(self.what, y, x)
        # Rounded away from 0, so that a difference of one level is not lost.
        halved = np.sign(difference) * ((np.abs(difference) + 1) // 2)
        halved[~self._are_both_final(y, x)] = 0
        levels: UInt8Array = np.clip(halved + SAME, 0, 255).astype(np.uint8)
        return levels

    def _are_both_final(self, y: slice, x: slice) -> npt.NDArray[np.bool_]:
        blocks = self._final
        rows, columns = np.arange(y.start, y.stop), np.arange(x.start, x.stop)
        final: npt.NDArray[np.bool_] = blocks[np.ix_(rows // BLOCK, columns // BLOCK)].copy()
        for region in (self.first.region, self.second.region):
            final[(rows < region.y0) | (rows >= region.y1)] = False
            final[:, (columns < region.x0) | (columns >= region.x1)] = False
        return final

    @cached_property
    def _final(self) -> npt.NDArray[np.bool_]:
        both: npt.NDArray[np.bool_] = self.first.done() & self.second.done()
        return both


def coarse(read: ReadPart, shape: tuple[int, int], step: int) -> ReadPart:
    """Return a function that reads a plane at a coarser level: each pixel is the mean of `step` by `step` pixels.

    A band of rows is read at a time, so that memory is bounded for coarse levels, too.

    Parameters
    ----------
    read
        Function that reads a part of the plane.
    shape
        Height and width of the plane.
    step
        Pixels of the plane to one pixel of the coarser level.
    """

    def read_coarse(y: slice, x: slice) -> UInt8Array:
        columns = slice(x.start * step, min(x.stop * step, shape[1]))
        out = np.empty((y.stop - y.start, x.stop - x.start), np.uint8)
        rows_at_once = max(_MOST_ROWS // step, 1)
        for top in range(y.start, y.stop, rows_at_once):
            bottom = min(top + rows_at_once, y.stop)
            part = read(slice(top * step, min(bottom * step, shape[0])), columns)
            out[top - y.start : bottom - y.start] = _means(part, step)
        return out

    return read if step == 1 else read_coarse


def _means(values: UInt8Array, step: int) -> UInt8Array:
    """Return the means of squares of `step` by `step` pixels; those at the bottom and right may be smaller."""
    height, width = values.shape
    missing = (-height % step, -width % step)
    padded = np.pad(values, ((0, missing[0]), (0, missing[1]))) if any(missing) else values
    # Rows first, since sums of whole rows are fast: ten times as fast as `numpy.add.reduceat`.
    rows = padded.reshape(-1, step, padded.shape[1]).sum(1, dtype=np.uint32)
    sums = rows.reshape(len(rows), -1, step).sum(2)
    heights, widths = np.full(sums.shape[0], step), np.full(sums.shape[1], step)
    heights[-1] -= missing[0]
    widths[-1] -= missing[1]
    means: UInt8Array = np.rint(sums / np.outer(heights, widths)).astype(np.uint8)
    return means
