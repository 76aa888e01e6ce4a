"""Lanes: threads that run batches through the networks side by side, each on its own core.

Several tiles at once, one thread each, keep a processor busier than one tile shared by many threads, which wait for
each other after every layer. Sums within one thread are also the same whatever number of cores a machine has.
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

# Two, so that one can decode while the other waits for the disk.
_READERS = 2
Answers = Generator[tuple[Batch, "Float32Array"], None, None]


def run_batches(inference: TileInference, grid: TileGrid, store: CellStore, queue: TileQueue, cores: int) -> Answers:
    """Run the batches of a queue, and yield each with the probabilities of its tiles, ``(b, c, y, x)`` float32.

    Grey values for the next batches are read and prepared on other threads, and cells that several batches share are
    computed before the first of those batches starts, so that no lane waits for another.

    Parameters
    ----------
    inference
        Reads and computes cells and tiles.
    grid
        Grid that the tiles lie on.
    store
        Store of computed cells, which later tiles may need again.
    queue
        Queue to take batches from, a few ahead of time, until it is empty; results keep its order.
    cores
        Number of processor cores that the networks may use.
    """
    lanes, threads = 1, cores
    if not inference.has_own_threads:
        lanes, threads = lanes_for(inference.device, cores, grid.tile, inference.has_shared_stem)
    threads_before = torch.get_num_threads()
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="napari-ink-read")
    workers = ThreadPoolExecutor(lanes, "napari-ink-lane", initializer=torch.set_num_threads, initargs=(threads,))
    work = _Work(inference, grid, store)
    # Two stages pull from the queue: reading runs `lanes` batches ahead of computing cells, and that `lanes` - 1 ahead
    # of the batches themselves. More would hold more grey values in memory and react later to a view that moves.
    read = _start_ahead(iter(queue.take, None), lambda batch: work.read_ahead(batch, readers), lanes)
    ready = _start_ahead(read, lambda batch: work.compute_ahead(batch, workers), lanes - 1)
    pending: deque[tuple[Batch, Future[Float32Array]]] = deque()
    try:
        while True:
            # One batch more than lanes, so that a lane has work while the caller blends the last result.
            for batch in islice(ready, lanes + 1 - len(pending)):
                pending.append((batch, workers.submit(work.answer, batch)))
            if not pending:
                return
            batch, future = pending.popleft()
            probabilities = future.result()
            store.release(map(grid.read_area, batch.tiles))
            yield batch, probabilities
    finally:
        # Cancel both pools before waiting for either: lanes may be waiting for readers.
        for pool in (workers, readers):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (workers, readers):
            pool.shutdown(wait=True)
        # torch keeps the setting per thread, but new threads start with the value that any thread set last.
        torch.set_num_threads(threads_before)


def _start_ahead(batches: Iterable[Batch], start: Callable[[Batch], None], count: int) -> Iterator[Batch]:
    """Yield batches, each only after `start` was called for it and for the `count` batches after it."""
    started: deque[Batch] = deque()
    for batch in batches:
        start(batch)
        started.append(batch)
        if len(started) > count:
            yield started.popleft()
    yield from started


class _Work:
    """The tasks of lanes and readers."""

    def __init__(self, inference: TileInference, grid: TileGrid, store: CellStore) -> None:
        self._inference, self._grid, self._store = inference, grid, store
        self._requested: set[CellIndex] = set()
        self._started: set[CellIndex] = set()
        self._reading: dict[CellIndex, Future[list[Float32Array]]] = {}

    def read_ahead(self, batch: Batch, readers: ThreadPoolExecutor) -> None:
        """Start reading the cells of a batch, each once in a run."""
        for cell in self._new_cells(batch, self._requested):
            self._reading[cell] = readers.submit(self._inference.read, cell)

    def compute_ahead(self, batch: Batch, workers: ThreadPoolExecutor) -> None:
        """Start computing the cells of a batch, each once in a run."""
        for cell in self._new_cells(batch, self._started):
            # The result is not awaited here: `answer` finds it in the store, or waits for the thread that computes it.
            workers.submit(self._planes, cell)

    def answer(self, batch: Batch) -> Float32Array:
        """Return the probabilities of a batch's tiles, ``(b, c, y, x)``."""
        cells = [{cell: self._planes(cell) for cell in self._cells(tile)} for tile in batch.tiles]
        return self._inference.probabilities(batch.tiles, self._inference.assembled(batch.tiles, cells))

    def _cells(self, tile: Region) -> list[CellIndex]:
        return self._inference.cells.touching(self._grid.read_area(tile))

    def _new_cells(self, batch: Batch, known: set[CellIndex]) -> Iterator[CellIndex]:
        """Yield the cells of a batch that are neither in `known` nor computed, and add them to `known`."""
        for cell in (cell for tile in batch.tiles for cell in self._cells(tile)):
            if cell not in known and cell not in self._store:
                known.add(cell)
                yield cell

    def _planes(self, cell: CellIndex) -> Planes:
        return self._store.planes(cell, lambda: self._computed(cell))

    def _computed(self, cell: CellIndex) -> Planes:
        reading = self._reading.pop(cell, None)
        # A cell that the store dropped to save memory was read before and must be read again.
        values = self._inference.read(cell) if reading is None else reading.result()
        return self._inference.planes(cell, values)
