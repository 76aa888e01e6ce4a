"""Grey values, read in parts as files hold them, each once while memory has room."""

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

_KEPT_BYTES = 256 * 2**20
# Few and large parts: for each layer of one a file is mapped, which costs as much as to copy some rows, and makes every
# thread forget where its memory lies. But less than glibc takes from the system anew each time, which is 32 MiB.
_PART_BYTES = 24 * 2**20
_LEAST_WIDTH = 2 * BLOCK
UnitIndex = tuple[int, int]


class GreySource:
    """Reads windows of a range of layers; any number of threads may.

    A strip or a chunk costs as much to decode for a few of its pixels as for all. Where the stack is stored in such,
    whole ones are decoded. What was read is kept as long as there is room.

    Parameters
    ----------
    stack
        What is read.
    z
        Its layers.
    row_px
        How many columns are read in a row, so that wide parts are worth while; None where nobody knows what comes next,
        as where somebody looks around: then a wide part would be dropped before its other end has its turn.
    kept_bytes
        Most memory that is kept; by default also as much as a row of blocks takes where strips are longer than that.
    """

    def __init__(
        self, stack: DepthStack, z: slice, row_px: int | None = None, kept_bytes: int | None = None
    ) -> None:  # fmt: skip
        self._stack, self._z = stack, z
        self._shape = stack.shape[1:]
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
        row_of_blocks = (math.ceil((BLOCK + 2 * DepthStem.halo) / tall) + 1) * tall * row_bytes
        most_bytes = max(_KEPT_BYTES, row_of_blocks) if kept_bytes is None else kept_bytes
        self._kept: SharedCache[UnitIndex, Grey] = SharedCache(_nbytes, most_bytes)
        self._waiting: Counter[UnitIndex] = Counter()
        self._lock = threading.Lock()

    def expect(self, areas: Iterable[Region]) -> None:
        """Let go of what was read as soon as none of these is left to be read, each once, which needs it."""
        self._waiting = Counter(unit for area in areas for unit in self._touching(area))

    def read(self, area: Region) -> Grey:
        """Return grey values ``(z, y, x)``.

        Raises
        ------
        StackError
            If they cannot be read.
        """
        out: Grey = np.empty((self._z.stop - self._z.start, *area.shape), self._stack.dtype)
        for index in self._touching(area):
            unit = self._area(index)
            part = area.within(unit)
            values = self._values(index)
            out[:, *part.slices_in(area)] = values[:, *part.slices_in(unit)]
            self._tidy(index)
        return out

    def _touching(self, area: Region) -> Iterator[UnitIndex]:
        tall, wide = self._unit
        for row in range(area.y0 // tall, -(-area.y1 // tall)):
            for column in range(area.x0 // wide, -(-area.x1 // wide)):
                yield row, column

    def _tidy(self, index: UnitIndex) -> None:
        with self._lock:
            self._waiting[index] -= 1
            is_last = self._waiting[index] == 0
        if is_last:
            self._kept.drop(index)

    def _area(self, index: UnitIndex) -> Region:
        y0, x0 = (place * side for place, side in zip(index, self._unit, strict=True))
        return Region(y0, min(y0 + self._unit[0], self._shape[0]), x0, min(x0 + self._unit[1], self._shape[1]))

    def _values(self, index: UnitIndex) -> Grey:
        return self._kept.get(index, lambda: self._stack.read(self._z, *self._area(index).slices))


def _nbytes(values: Grey) -> int:
    return values.nbytes
