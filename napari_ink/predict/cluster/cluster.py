"""Other processes and machines at work on one prediction, by dask.distributed: workers read and predict, we store.

A worker gets a few batches of tiles at a time, reads their grey values itself and sends probabilities back; only the
process that was started blends and writes. Batches are made up as on one machine and sums do not depend on their order,
so the bytes are the same, whichever worker did what and however often.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_ink.errors import NapariInkError
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.cluster.worker import Job, answer
from napari_ink.predict.tiles import Batch, TileGrid
from napari_ink.typing import Float32Array

if TYPE_CHECKING:
    import torch
    from distributed import Client


_SMALLEST_PATCH, _LARGEST_PATCH = 2, 8
_TASKS_PER_WORKER = 8
_WAITING_PER_WORKER = 2
_RETRIES = 3
_LOOK_S = 1
# A worker that died is started again within seconds, by its nanny; a batch system may take longer than we can wait.
_WORKERLESS_S = 30
_T = TypeVar("_T")


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
    address
        Where their scheduler is, for messages.
    """

    client: Client
    workers: tuple[str, ...]
    device: str
    device_title: str
    address: str

    def torch_device(self) -> torch.device:
        """Return what they predict on."""
        import torch

        return torch.device(self.device)

    def run_batches(self, job: Job, batches: Sequence[Batch]) -> Generator[tuple[Batch, Float32Array], None, None]:
        """Have batches answered, each as it is done; see `pipeline.run_batches`.

        Raises
        ------
        NapariInkError
            If a worker cannot, workers are lost again and again, none is left for some time, or the scheduler is lost.
        """
        from distributed import as_completed

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

        waiting = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-workers")
        try:
            with said_if_lost(self.address):
                for worker in [*range(len(workers))] * _WAITING_PER_WORKER:
                    ask(worker)
            while asked:
                future, answers = self._patient(waiting.submit(_next_of, coming))
                with said_if_lost(self.address):
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
            with suppress(*_signs_of_loss()):
                self.client.cancel(list(asked))
            waiting.shutdown(wait=False)  # its thread ends with what was cancelled

    def _patient(self, coming: Future[_T]) -> _T:
        """Wait for as long as there are workers; where there are none, only so long as one may need to start again."""
        deadline = None
        while not wait([coming], timeout=_LOOK_S).done:
            with said_if_lost(self.address):
                is_alone = not self._now()
            if not is_alone:
                deadline = None
            elif deadline is None:
                deadline = time.monotonic() + _WORKERLESS_S
            elif time.monotonic() > deadline:
                raise NapariInkError(
                    f"All workers of the scheduler at {self.address} are lost; start some, and --resume goes on."
                )
        with said_if_lost(self.address):
            return coming.result()

    def _now(self) -> set[str]:
        """Return the addresses of the workers that are there now."""
        found = self.client.scheduler_info(n_workers=-1)
        if "workers" not in found:  # so it is once a client has given up to find its scheduler again
            raise CancelledError("The connection is closed.")
        return set(found["workers"])


@contextmanager
def said_if_lost(address: str) -> Iterator[None]:
    """Turn the many signs of a scheduler that is gone into one clear sentence.

    Parameters
    ----------
    address
        Where it was; it stands in the message.

    Raises
    ------
    NapariInkError
        In place of any of them.
    """
    try:
        yield
    except _signs_of_loss() as error:
        raise NapariInkError(f"The scheduler at {address} is lost; start it again, and --resume goes on.") from error


def _next_of(coming: Iterator[Any]) -> tuple[Any, Any]:
    """Return what is done next, and what it came to."""
    from distributed.scheduler import KilledWorker

    future = next(coming)
    try:
        return future, future.result()
    except KilledWorker as error:
        raise NapariInkError("Workers were lost again and again over the same tiles; see in their logs why.") from error
    except OSError as error:
        if future.status != "error":
            raise
        # The worker's own: it must not pass for a sign of loss.
        raise NapariInkError(f"A worker cannot go on ({error}); see in its log why.") from error


def _signs_of_loss() -> tuple[type[Exception], ...]:
    """Return what dask raises once a connection is gone: futures that are cancelled, or a call that comes too late."""
    from distributed.client import ClosedClientError

    return CancelledError, ClosedClientError, OSError


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
