"""Planes that are filled part by part, with coarser copies that keep up, so that all of a segment can be shown."""

from __future__ import annotations

import os
import tempfile
from typing import Literal

import numpy as np

from napari_ink.halving import halved_by_maximum, halved_by_mean
from napari_ink.typing import UInt8Array

Coarser = Literal["mean", "max"]

_SCREEN_PX = 2048
_IN_MEMORY_PX = 2**26


class GrowingPyramid:
    """A plane of uint8 and its coarser copies, each half as high and wide as the one before.

    Up to 67 million pixels it is in memory; a larger one in a file without a name, which goes when the program does,
    and of which the system keeps in memory what is looked at. Where the disk has no room for it, it is in memory too.

    Parameters
    ----------
    shape
        Height and width.
    coarser
        What stands for four pixels in a coarser copy: their mean, or their maximum, which keeps thin lines in sight.

    Attributes
    ----------
    levels : list of ndarray
        The plane itself first.
    is_in_memory : bool
        Whether it can be emptied at no cost.
    """

    def __init__(self, shape: tuple[int, int], coarser: Coarser) -> None:
        self._coarser = coarser
        self.is_in_memory = shape[0] * shape[1] <= _IN_MEMORY_PX
        shapes = [shape]
        while max(shapes[-1]) > _SCREEN_PX:
            shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
        self.levels: list[UInt8Array] = [self._empty(one) for one in shapes]

    def put(self, y: slice, x: slice, values: UInt8Array) -> None:
        """Fill a part, in all copies."""
        self.levels[0][y, x] = values
        rows, columns = (y.start, y.stop), (x.start, x.stop)
        for finer, level in zip(self.levels, self.levels[1:], strict=False):
            rows, columns = ((first // 2, -(-last // 2)) for first, last in (rows, columns))
            part = finer[2 * rows[0] : 2 * rows[1], 2 * columns[0] : 2 * columns[1]]
            level[rows[0] : rows[1], columns[0] : columns[1]] = self._halved(part)

    def clear(self) -> None:
        """Empty all copies."""
        for level in self.levels:
            level.fill(0)

    def _empty(self, shape: tuple[int, int]) -> UInt8Array:
        if self.is_in_memory:
            return np.zeros(shape, np.uint8)
        try:
            with tempfile.TemporaryFile(prefix="napari-ink-") as file:  # the map keeps it
                # A write into a map of a file that has no room left ends the whole program: room is reserved before.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, shape[0] * shape[1])
                return np.memmap(file, np.uint8, "w+", shape=shape)
        except OSError:  # no room on the disk: memory may have some, and the system gives it as it is written to
            return np.zeros(shape, np.uint8)

    def _halved(self, part: UInt8Array) -> UInt8Array:
        if self._coarser == "max":
            return halved_by_maximum(part)
        return halved_by_mean(part[None])[0]
