"""Grey values, read in whole parts as files store them, and each part only once while memory allows."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from napari_ink.model.stem import DepthStem
from napari_ink.predict.shared_cache import SharedCache
from napari_ink.predict.tiles import BLOCK
from napari_ink.region import Region
from napari_ink.stack import DepthStack

Grey = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_CACHE_BYTES = 256 * 2**20
# Large parts, since each read opens one file a layer, which costs as much as copying some rows. But below 32 MiB: from
# there on glibc requests fresh memory from the system for each allocation (see `memory.py`).
_PART_BYTES = 24 * 2**20
_LEAST_WIDTH = 2 * BLOCK
UnitIndex = tuple[int, int]


class GreySource:
    """Reads windows from a range of layers; safe to use from any number of threads.

    Decoding a few pixels of a strip or chunk costs as much as decoding all of it, so whole strips and chunks are
    decoded, and kept while memory allows.

    Parameters
    ----------
    stack
        Depth stack to read.
    z
        Range of layers to read.
    row_px
        Number of columns that are read one after another in a row, which makes wide parts worthwhile; None if the order
        is unknown, as when the user moves the view: a wide part would then be dropped before its other end is needed.
    cache_bytes
        Largest amount of memory to keep, in bytes; by default 256 MiB, or one row of blocks if that is larger.
    """

    def __init__(self, stack: DepthStack, z: slice, row_px: int | None = None, cache_bytes: int | None = None) -> None:
        self._stack, self._z = stack, z
        self._shape = stack.shape[1:]
        # Height and width of a stored strip or chunk; below, a part is made of as many whole ones as fit.
        tall, wide = (min(stored, length) for stored, length in zip(stack.stored_px, self._shape, strict=True))
        column_bytes = (z.stop - z.start) * stack.dtype.itemsize
        wanted = _LEAST_WIDTH
        if row_px is not None:
            room = _PART_BYTES // (max(BLOCK, tall) * column_bytes) // BLOCK * BLOCK
            wanted = max(min(room, math.ceil(row_px / BLOCK) * BLOCK), _LEAST_WIDTH)
        wide = min(max(math.ceil(_LEAST_WIDTH / wide), wanted // wide) * wide, self._shape[1])
        row_bytes = wide * column_bytes
        rows = min(BLOCK, _PART_BYTES // row_bytes)
        tall = max(rows // tall, 1) * tall
        self._unit = tall, wide
        # A row of blocks with its halo starts in the middle of a part, hence one part more.
        row_of_blocks = (math.ceil((BLOCK + 2 * DepthStem.halo) / tall) + 1) * tall * row_bytes
        most_bytes = max(_CACHE_BYTES, row_of_blocks) if cache_bytes is None else cache_bytes
        self._cache: SharedCache[UnitIndex, Grey] = SharedCache(_nbytes, most_bytes)
        self._waiting: Counter[UnitIndex] = Counter()
        self._lock = threading.Lock()

    def expect(self, areas: Iterable[Region]) -> None:
        """Declare the areas to be read, each once, so that a part is dropped after the last area that needs it."""
        self._waiting = Counter(unit for area in areas for unit in self._touching(area))

    def read(self, area: Region) -> Grey:
        """Return the grey values of an area, ``(z, y, x)`` in the stack's dtype.

        Raises
        ------
        StackError
            If the files cannot be read.
        """
        out: Grey = np.empty((self._z.stop - self._z.start, *area.shape), self._stack.dtype)
        for index in self._touching(area):
            unit = self._area(index)
            part = area.within(unit)
            values = self._values(index)
            out[:, *part.slices_in(area)] = values[:, *part.slices_in(unit)]
            self._release(index)
        return out

    def _touching(self, area: Region) -> Iterator[UnitIndex]:
        tall, wide = self._unit
        for row in range(area.y0 // tall, -(-area.y1 // tall)):
            for column in range(area.x0 // wide, -(-area.x1 // wide)):
                yield row, column

    def _release(self, index: UnitIndex) -> None:
        with self._lock:
            self._waiting[index] -= 1
            # Exactly 0: without `expect` counts go below and parts stay until memory is short.
            is_last = self._waiting[index] == 0
        if is_last:
            self._cache.drop(index)

    def _area(self, index: UnitIndex) -> Region:
        y0, x0 = (place * side for place, side in zip(index, self._unit, strict=True))
        return Region(y0, min(y0 + self._unit[0], self._shape[0]), x0, min(x0 + self._unit[1], self._shape[1]))

    def _values(self, index: UnitIndex) -> Grey:
        return self._cache.get(index, lambda: self._stack.read(self._z, *self._area(index).slices))


def _nbytes(values: Grey) -> int:
    return values.nbytes
