"""The order in which batches are predicted: row by row, or outwards from the region that the user looks at."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from napari_ink.predict.tiles import BLOCK, Batch, BlockIndex
from napari_ink.region import Region

# A quarter of a pixel keeps the row above and the row below from being equally near, which would alternate them.
_NO_TIE = 0.25


class TileQueue:
    """The batches that are left, and the number of batches that each block still waits for.

    While there is a view, the nearest block is finished before the next one starts, so that few blocks are unfinished,
    and lost, when the run is stopped.

    Parameters
    ----------
    batches
        All batches, in the order to use while there is no view.
    looking_at
        Returns the region that the user looks at, or None; the block nearest to its centre comes next.
    in_rows
        Whether files are read in whole rows, as strips are: after the visible blocks, whole rows of blocks come, the
        nearest first.
    """

    def __init__(
        self, batches: Iterable[Batch], looking_at: Callable[[], Region | None] = lambda: None, in_rows: bool = False
    ) -> None:
        self._left = OrderedDict(enumerate(batches))
        self._looking_at, self._in_rows = looking_at, in_rows
        self._waiting = Counter(block for batch in self._left.values() for block in batch.blocks)
        self._blocks = sorted(self._waiting)
        self._row = {block: row for row, block in enumerate(self._blocks)}
        # Counted apart from `_waiting`: a block whose last batch was taken needs no more, but is not final yet.
        self._untaken = np.array([self._waiting[block] for block in self._blocks])
        self._middles = (np.array(self._blocks, float).reshape(-1, 2) + 0.5) * BLOCK
        self._touching: dict[BlockIndex, list[int]] = {block: [] for block in self._blocks}
        for number, batch in self._left.items():
            for block in batch.blocks:
                self._touching[block].append(number)

    def take(self) -> Batch | None:
        """Return the next batch, or None once none is left."""
        if not self._left:
            return None
        view = self._looking_at()
        number = next(iter(self._left)) if view is None else self._nearest(view)
        batch = self._left.pop(number)
        for block in batch.blocks:
            self._untaken[self._row[block]] -= 1
        return batch

    def finish(self, batch: Batch) -> tuple[BlockIndex, ...]:
        """Record that a batch is done, and return the blocks that are final now."""
        self._waiting.subtract(batch.blocks)
        return tuple(block for block in batch.blocks if self._waiting[block] == 0)

    def _nearest(self, view: Region) -> int:
        """Return the number of the first batch left for the block nearest to a view."""
        middle = np.array([(view.y0 + view.y1) / 2, (view.x0 + view.x1) / 2])
        rows, columns = np.abs(self._middles - middle + _NO_TIE).T
        # lexsort sorts by its last key first: blocks with batches left, then visible ones, then by distance.
        if self._in_rows:
            in_sight = (rows < view.height / 2 + BLOCK / 2) & (columns < view.width / 2 + BLOCK / 2)
            order = np.lexsort((columns, rows, ~in_sight, self._untaken == 0))
        else:
            order = np.lexsort((rows**2 + columns**2, self._untaken == 0))
        block = self._blocks[int(order[0])]
        return next(number for number in self._touching[block] if number in self._left)
