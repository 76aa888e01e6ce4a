"""The order in which batches are predicted: as they lie, or from where somebody looks outwards."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from napari_ink.predict.region import Region
from napari_ink.predict.tiles import Batch, BlockIndex

_MOST_OPEN = 384  # 300 MB of sums in float32


class TileQueue:
    """The batches that are left, and the blocks that wait for them.

    Parameters
    ----------
    batches
        All there is to do, in the order in which it is done while nobody looks.
    looking_at
        Returns what somebody looks at, or None; what lies nearest to its middle is taken next.
    """

    def __init__(self, batches: Iterable[Batch], looking_at: Callable[[], Region | None] = lambda: None) -> None:
        self._left = OrderedDict(enumerate(batches))
        self._waiting = Counter(block for batch in self._left.values() for block in batch.blocks)
        self._touching: dict[BlockIndex, list[int]] = {}
        for number, batch in self._left.items():
            for block in batch.blocks:
                self._touching.setdefault(block, []).append(number)
        self._centres = np.array([_centre(batch) for batch in self._left.values()]).reshape(-1, 2)
        self._is_left = np.ones(len(self._left), bool)
        self._open: set[BlockIndex] = set()
        self._looking_at = looking_at

    def take(self) -> Batch | None:
        """Hand out the next batch; None once there is none left."""
        if not self._left:
            return None
        number = self._next()
        batch = self._left.pop(number)
        self._is_left[number] = False
        self._open.update(batch.blocks)
        return batch

    def finish(self, batch: Batch) -> tuple[BlockIndex, ...]:
        """Note that a batch is done, and return the blocks that are final now."""
        self._waiting.subtract(batch.blocks)
        final = tuple(block for block in batch.blocks if self._waiting[block] == 0)
        self._open.difference_update(final)
        return final

    def _next(self) -> int:
        view = self._looking_at()
        if view is None:
            return next(iter(self._left))
        if len(self._open) >= _MOST_OPEN and (nearly := self._nearly_final()) is not None:
            return nearly
        middle = np.array([(view.y0 + view.y1) / 2, (view.x0 + view.x1) / 2])
        distance = ((self._centres - middle) ** 2).sum(axis=1)
        return int(np.where(self._is_left, distance, np.inf).argmin())

    def _nearly_final(self) -> int | None:
        """Return a batch that the block waits for which waits for fewest: memory has room for so many blocks."""
        for block in sorted(self._open, key=lambda one: self._waiting[one]):
            for number in self._touching[block]:
                if self._is_left[number]:
                    return number
        return None


def _centre(batch: Batch) -> tuple[float, float]:
    first, last = batch.tiles[0], batch.tiles[-1]
    return (first.y0 + last.y1) / 2, (first.x0 + last.x1) / 2
