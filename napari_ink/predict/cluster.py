"""Other processes and machines at work on one prediction, by dask.distributed: workers read and predict, we store.

A worker gets a few batches of tiles at a time, reads their grey values itself and sends probabilities back; only the
process that was started blends and writes. Batches are made up as on one machine and sums do not depend on their order,
so the bytes are the same, whichever worker did what and however often.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import NapariInkError
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.tiles import Batch, TileGrid
from napari_ink.predict.worker import Job, answer

if TYPE_CHECKING:
    import torch
    from distributed import Client

Float32Array = npt.NDArray[np.float32]

_SMALLEST_PATCH, _LARGEST_PATCH = 2, 8
_TASKS_PER_WORKER = 4
_WAITING_PER_WORKER = 2
_RETRIES = 3


@dataclass(frozen=True)
class Cluster:
    """Workers that are there.

    Attributes
    ----------
    client
        The connection.
    workers
        Addresses of those that were there at the beginning.
    device, device_title
        What they predict on, and that in words.
    """

    client: Client
    workers: tuple[str, ...]
    device: str
    device_title: str

    def torch_device(self) -> torch.device:
        """Return what they predict on."""
        import torch

        return torch.device(self.device)

    def answers(self, job: Job, batches: Sequence[Batch]) -> Generator[tuple[Batch, Float32Array], None, None]:
        """Have batches answered, each as it is done; see `Recipe.answers`.

        Raises
        ------
        NapariInkError
            If a worker cannot, or workers are lost again and again.
        """
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        workers = list(self.workers)
        left = in_shares(list(in_patches(batches, job.grid, len(workers) * _TASKS_PER_WORKER)), len(workers))
        coming = as_completed()
        asked: dict[Any, tuple[int, Sequence[Batch]]] = {}

        def ask(worker: int) -> None:
            """Ask a worker for the next patch of its share, whose neighbours it has, or of the longest that is left."""
            share = left[worker] or max(left, key=len)
            if share:
                patch = share.popleft()
                future = self.client.submit(
                    answer, job, patch, pure=False, retries=_RETRIES,
                    workers=[workers[worker]], allow_other_workers=True,
                )  # fmt: skip
                asked[future] = worker, patch
                coming.add(future)

        try:
            for worker in [*range(len(workers))] * _WAITING_PER_WORKER:
                ask(worker)
            for future in coming:
                try:
                    answers = future.result()
                except KilledWorker as error:
                    raise NapariInkError(
                        "Workers were lost again and again over the same tiles; see in their logs why."
                    ) from error
                worker, patch = asked.pop(future)
                ask(worker)
                for newcomer in self._now().difference(workers):
                    workers.append(newcomer)
                    left.append(deque())  # it helps with the longest share
                    for _ in range(_WAITING_PER_WORKER):
                        ask(len(workers) - 1)
                for batch, steps in zip(patch, answers, strict=True):
                    yield batch, unpacked(steps)
        finally:
            self.client.cancel(list(asked))

    def _now(self) -> set[str]:
        """Return the addresses of the workers that are there now."""
        return set(self.client.scheduler_info(n_workers=-1)["workers"])


def unpacked(steps: npt.NDArray[np.uint16]) -> Float32Array:
    """Return probabilities from what a worker sent, which are whole steps, and one more for those that are none."""
    values = steps.astype(np.float32) / np.float32(PROBABILITY_STEPS)
    values[steps > PROBABILITY_STEPS] = np.nan
    return values


def in_patches(batches: Sequence[Batch], grid: TileGrid, most: int) -> Iterator[list[Batch]]:
    """Put batches that lie together into patches: large ones, whose tiles share most, but about `most` if there can be.

    They come row by row, so that few blocks are open at a time.
    """
    tiles = sum(len(batch.tiles) for batch in batches)
    side = min(max(math.isqrt(max(tiles // most, 1)), _SMALLEST_PATCH), _LARGEST_PATCH)
    patches: OrderedDict[tuple[int, int], list[Batch]] = OrderedDict()
    for batch in batches:
        first = batch.tiles[0]
        place = first.y0 // (side * grid.stride[0]), first.x0 // (side * grid.stride[1])
        patches.setdefault(place, []).append(batch)
    for place in sorted(patches):
        yield patches[place]


def in_shares(patches: Sequence[list[Batch]], count: int) -> list[deque[list[Batch]]]:
    """Part patches among workers, each a run of neighbours."""
    ends = [len(patches) * n // count for n in range(count + 1)]
    return [deque(patches[first:last]) for first, last in pairwise(ends)]
