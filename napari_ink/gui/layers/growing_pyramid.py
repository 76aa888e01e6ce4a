"""Planes that are filled part by part, with coarser copies that are updated too, to show a whole segment."""

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

    Planes of up to 67 million pixels are kept in memory. A larger plane is kept in an unnamed temporary file, which is
    deleted when the program ends; the system holds the visible part of it in memory. If the disk has no room for the
    file, the plane is kept in memory as well.

    Parameters
    ----------
    shape
        Height and width.
    coarser
        Value of a pixel in a coarser copy: the mean of four pixels, or their maximum, which keeps thin lines visible.

    Attributes
    ----------
    levels : list of ndarray
        The plane at full resolution, then its coarser copies.
    is_in_memory : bool
        Whether the plane is in memory, so that clearing it is cheap.
    """

    def __init__(self, shape: tuple[int, int], coarser: Coarser) -> None:
        self._coarser = coarser
        self.is_in_memory = shape[0] * shape[1] <= _IN_MEMORY_PX
        shapes = [shape]
        while max(shapes[-1]) > _SCREEN_PX:
            shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
        self.levels: list[UInt8Array] = [self._empty(one) for one in shapes]

    def put(self, y: slice, x: slice, values: UInt8Array) -> None:
        """Write values into a rectangle, and update the coarser copies."""
        self.levels[0][y, x] = values
        # Bounds are rounded outwards, so that a coarser pixel is computed from all of its finer pixels.
        rows, columns = (y.start, y.stop), (x.start, x.stop)
        for finer, level in zip(self.levels, self.levels[1:], strict=False):
            rows, columns = ((first // 2, -(-last // 2)) for first, last in (rows, columns))
            part = finer[2 * rows[0] : 2 * rows[1], 2 * columns[0] : 2 * columns[1]]
            level[rows[0] : rows[1], columns[0] : columns[1]] = self._halved(part)

    def clear(self) -> None:
        """Set the plane and its coarser copies to 0."""
        for level in self.levels:
            level.fill(0)

    def _empty(self, shape: tuple[int, int]) -> UInt8Array:
        if self.is_in_memory:
            return np.zeros(shape, np.uint8)
        try:
            with tempfile.TemporaryFile(prefix="napari-ink-") as file:  # the memory map keeps the file open
                # Writing into a memory map without room on the disk ends the program, so the room is reserved first.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, shape[0] * shape[1])
                return np.memmap(file, np.uint8, "w+", shape=shape)
        except OSError:  # no room on the disk; memory is only allocated as it is written to
            return np.zeros(shape, np.uint8)

    def _halved(self, part: UInt8Array) -> UInt8Array:
        if self._coarser == "max":
            return halved_by_maximum(part)
        return halved_by_mean(part[None])[0]
