"""Lanes: threads on which batches go through the networks side by side, each on a core of its own.

Several tiles at once, each computed by one thread, keep processors busier than one tile that many threads share: these
wait for each other after every layer. And sums in one thread come out the same however many cores a machine has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import torch

from napari_ink.predict.cells import CellIndex, CellStore, Planes
from napari_ink.predict.device import lanes_for
from napari_ink.predict.tiles import Batch, TileGrid
from napari_ink.typing import Float32Array

if TYPE_CHECKING:
    from napari_ink.predict.tile_inference import TileInference
    from napari_ink.predict.tile_queue import TileQueue
    from napari_ink.region import Region

_READERS = 2
Answers = Generator[tuple[Batch, "Float32Array"], None, None]


def run_batches(inference: TileInference, grid: TileGrid, store: CellStore, queue: TileQueue, cores: int) -> Answers:
    """Go through a queue of batches, and yield each with what the networks say of its tiles.

    What the next batches need is read and prepared on further threads, and what they share is computed before the first
    of them has its turn, so that no lane waits for another.

    Parameters
    ----------
    inference
        What is read and computed of cells and of tiles.
    grid
        The tiles.
    store
        Where cells are kept that tiles to come need again.
    queue
        Batches are taken from it a little ahead, until it is empty; they come back in the order in which it gave them.
    cores
        How many processor cores the networks may use.
    """
    lanes, threads = (1, cores) if inference.has_own_threads else lanes_for(inference.device, cores, grid.tile)
    threads_before = torch.get_num_threads()
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="napari-ink-read")
    workers = ThreadPoolExecutor(lanes, "napari-ink-lane", initializer=torch.set_num_threads, initargs=(threads,))
    work = _Work(inference, grid, store)
    read = _begun_ahead(iter(queue.take, None), lambda batch: work.read_ahead(batch, readers), lanes)
    ready = _begun_ahead(read, lambda batch: work.compute_ahead(batch, workers), lanes - 1)
    ahead: deque[tuple[Batch, Future[Float32Array]]] = deque()
    try:
        while True:
            for batch in islice(ready, lanes + 1 - len(ahead)):
                ahead.append((batch, workers.submit(work.answer, batch)))
            if not ahead:
                return
            batch, coming = ahead.popleft()
            said = coming.result()
            store.tidy(map(grid.padded, batch.tiles))
            yield batch, said
    finally:
        for pool in (workers, readers):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (workers, readers):
            pool.shutdown(wait=True)
        # Each thread has a number of threads of its own; the one set last is what threads begin with, too.
        torch.set_num_threads(threads_before)


def _begun_ahead(batches: Iterable[Batch], begin: Callable[[Batch], None], count: int) -> Iterator[Batch]:
    """Hand batches on, each once something has begun for it and for so many that follow it."""
    begun: deque[Batch] = deque()
    for batch in batches:
        begin(batch)
        begun.append(batch)
        if len(begun) > count:
            yield begun.popleft()
    yield from begun


class _Work:
    """What lanes and readers do."""

    def __init__(self, inference: TileInference, grid: TileGrid, store: CellStore) -> None:
        self._inference, self._grid, self._store = inference, grid, store
        self._asked: set[CellIndex] = set()
        self._begun: set[CellIndex] = set()
        self._coming: dict[CellIndex, Future[list[Float32Array]]] = {}

    def read_ahead(self, batch: Batch, readers: ThreadPoolExecutor) -> None:
        """Have the cells read that a batch needs, each once in a run."""
        for cell in self._new_of(batch, self._asked):
            self._coming[cell] = readers.submit(self._inference.read, cell)

    def compute_ahead(self, batch: Batch, workers: ThreadPoolExecutor) -> None:
        """Have the cells computed that a batch needs, each once in a run."""
        for cell in self._new_of(batch, self._begun):
            workers.submit(self._planes, cell)

    def answer(self, batch: Batch) -> Float32Array:
        """Return what the networks say of a batch's tiles."""
        cells = [{cell: self._planes(cell) for cell in self._cells(tile)} for tile in batch.tiles]
        return self._inference.probabilities(self._inference.assembled(batch.tiles, cells))

    def _cells(self, tile: Region) -> list[CellIndex]:
        return self._inference.cells.touching(self._grid.padded(tile))

    def _new_of(self, batch: Batch, known: set[CellIndex]) -> Iterator[CellIndex]:
        """Go through the cells of a batch that are neither known nor computed, each of which is known from then on."""
        for cell in (cell for tile in batch.tiles for cell in self._cells(tile)):
            if cell not in known and cell not in self._store:
                known.add(cell)
                yield cell

    def _planes(self, cell: CellIndex) -> Planes:
        return self._store.planes(cell, lambda: self._computed(cell))

    def _computed(self, cell: CellIndex) -> Planes:
        coming = self._coming.pop(cell, None)
        # What was dropped for want of memory is read again.
        values = self._inference.read(cell) if coming is None else coming.result()
        return self._inference.planes(cell, values)
