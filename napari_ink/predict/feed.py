"""Reading ahead: what the next batches need is read and prepared on threads while the network is at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_ink.predict.cells import CellIndex, CellStore, Planes
from napari_ink.predict.tiles import Batch, TileGrid

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.predict.forward import Float32Array
    from napari_ink.predict.queue import TileQueue
    from napari_ink.predict.recipe import Recipe

_AHEAD = 2
_READERS = 2
_NAME = "napari-ink-read"
Blocks = Sequence["Tensor"]
Feed = Generator[tuple[Batch, Blocks], None, None]


def feed(recipe: Recipe, grid: TileGrid, store: CellStore, queue: TileQueue) -> Feed:
    """Go through a queue of batches; each comes put together from cells, for `Recipe.answers`.

    Parameters
    ----------
    recipe
        What is read and computed of cells.
    grid
        The tiles.
    store
        Where cells are kept that tiles to come need again.
    queue
        Batches are taken from it a little ahead, until it is empty.
    """
    return (_CellsAhead if recipe.has_shared_stem else _TilesAhead)(recipe, grid, store).through(queue)


class _CellsAhead:
    """Reads cells ahead; what is computed of them, and tiles put together from that, lie on the device."""

    def __init__(self, recipe: Recipe, grid: TileGrid, store: CellStore) -> None:
        self._recipe, self._grid, self._store = recipe, grid, store
        self._coming: dict[CellIndex, Future[list[Float32Array]]] = {}

    def through(self, queue: TileQueue) -> Feed:
        ahead: deque[Batch] = deque()
        with ThreadPoolExecutor(_READERS, thread_name_prefix=_NAME) as readers:
            try:
                while True:
                    while len(ahead) < _AHEAD and (batch := queue.take()) is not None:
                        ahead.append(batch)
                        self._ask(readers, batch)
                    if not ahead:
                        return
                    batch = ahead.popleft()
                    cells = [
                        {cell: self._planes(cell) for cell in self._recipe.cells.touching(self._grid.padded(tile))}
                        for tile in batch.tiles
                    ]
                    yield batch, self._recipe.assembled(batch.tiles, cells)
                    self._store.tidy(map(self._grid.padded, batch.tiles))
            finally:
                readers.shutdown(wait=True, cancel_futures=True)

    def _ask(self, readers: ThreadPoolExecutor, batch: Batch) -> None:
        for tile in batch.tiles:
            for cell in self._recipe.cells.touching(self._grid.padded(tile)):
                if cell not in self._store and cell not in self._coming:
                    self._coming[cell] = readers.submit(self._recipe.read, cell)

    def _planes(self, cell: CellIndex) -> Planes:
        if cell in self._store:
            return self._store[cell]
        coming = self._coming.pop(cell, None)
        # What was dropped for want of memory after it was looked for is read now.
        values = self._recipe.read(cell) if coming is None else coming.result()
        planes = self._recipe.planes(cell, values)
        self._store.put(cell, planes)
        return planes


class _TilesAhead:
    """Puts whole tiles of grey values together ahead, all on one thread, which the cells belong to."""

    def __init__(self, recipe: Recipe, grid: TileGrid, store: CellStore) -> None:
        self._recipe, self._grid, self._store = recipe, grid, store

    def through(self, queue: TileQueue) -> Feed:
        ahead: deque[tuple[Batch, Future[Blocks]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix=_NAME) as reader:
            try:
                while True:
                    while len(ahead) < _AHEAD and (batch := queue.take()) is not None:
                        ahead.append((batch, reader.submit(self._blocks, batch)))
                    if not ahead:
                        return
                    batch, coming = ahead.popleft()
                    yield batch, coming.result()
            finally:
                reader.shutdown(wait=True, cancel_futures=True)

    def _blocks(self, batch: Batch) -> Blocks:
        cells = [
            {cell: self._planes(cell) for cell in self._recipe.cells.touching(self._grid.padded(tile))}
            for tile in batch.tiles
        ]
        blocks = self._recipe.assembled(batch.tiles, cells)
        self._store.tidy(map(self._grid.padded, batch.tiles))
        return blocks

    def _planes(self, cell: CellIndex) -> Planes:
        if cell not in self._store:
            self._store.put(cell, self._recipe.planes(cell, self._recipe.read(cell)))
        return self._store[cell]
