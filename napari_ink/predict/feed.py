"""Reading ahead: the next batches' cells are read and prepared on threads while the network is at work on this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_ink.predict.cells import CellIndex, CellStore, Planes
from napari_ink.predict.region import Region
from napari_ink.predict.tiles import Batch, TileGrid

if TYPE_CHECKING:
    from napari_ink.predict.forward import Float32Array
    from napari_ink.predict.queue import TileQueue
    from napari_ink.predict.recipe import Recipe

_AHEAD = 2
_READERS = 2
_KEPT_BYTES = 384 * 2**20


class CellFeed:
    """Goes through a queue of batches and has each batch's cells at hand when its turn comes.

    Parameters
    ----------
    recipe
        What is read and computed of cells.
    grid
        The tiles.
    tiles
        All tiles of the queue.
    kept_bytes
        Most memory that cells take which tiles to come need again.
    """

    def __init__(
        self, recipe: Recipe, grid: TileGrid, tiles: Iterable[Region], kept_bytes: int = _KEPT_BYTES
    ) -> None:  # fmt: skip
        self._recipe, self._grid = recipe, grid
        self._store = CellStore(recipe.cells, map(grid.padded, tiles), kept_bytes)
        self._coming: dict[CellIndex, Future[list[Float32Array]]] = {}

    def __call__(self, queue: TileQueue) -> Generator[tuple[Batch, list[dict[CellIndex, Planes]]], None, None]:
        """Take batches from a queue until it is empty; each comes with the planes of its tiles' cells."""
        ahead: deque[Batch] = deque()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="napari-ink-read") as readers:
            try:
                while True:
                    while len(ahead) < _AHEAD and (batch := queue.take()) is not None:
                        ahead.append(batch)
                        self._ask(readers, batch)
                    if not ahead:
                        return
                    batch = ahead.popleft()
                    yield batch, self._cells(batch)
                    self._store.tidy(map(self._grid.padded, batch.tiles))
            finally:
                readers.shutdown(wait=True, cancel_futures=True)

    def _ask(self, readers: ThreadPoolExecutor, batch: Batch) -> None:
        for tile in batch.tiles:
            for cell in self._recipe.cells.touching(self._grid.padded(tile)):
                if cell not in self._store and cell not in self._coming:
                    self._coming[cell] = readers.submit(self._recipe.read, cell)

    def _cells(self, batch: Batch) -> list[dict[CellIndex, Planes]]:
        return [
            {cell: self._planes(cell) for cell in self._recipe.cells.touching(self._grid.padded(tile))}
            for tile in batch.tiles
        ]

    def _planes(self, cell: CellIndex) -> Planes:
        if cell in self._store:
            return self._store[cell]
        coming = self._coming.pop(cell, None)
        # What was dropped for want of memory after it was looked for is read now.
        values = self._recipe.read(cell) if coming is None else coming.result()
        planes = self._recipe.planes(cell, values)
        self._store.put(cell, planes)
        return planes
