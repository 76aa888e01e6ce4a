"""Prediction on other processes and machines with dask.distributed: workers read and predict, this process stores.

A worker gets a patch of tiles at a time and reads their grey values itself. It blends and encodes the blocks that no
other patch touches, and sends those; of other blocks it sends probabilities. Only the process that the user started
writes. Batches are the same as on one machine and sums do not depend on their order, so the stored bytes do not depend
on which worker predicted which tile, or how often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from napari_ink.errors import NapariInkError
from napari_ink.predict.answers import Answer
from napari_ink.predict.cluster.patches import Patch, PatchAnswer, unpacked
from napari_ink.predict.cluster.tasks import Tasks
from napari_ink.predict.cluster.worker import Job
from napari_ink.predict.tiles import Batch, BlockIndex

if TYPE_CHECKING:
    import torch
    from distributed import Client


_CHECK_S = 1
# dask's nanny restarts a dead worker within seconds; a batch system may take longer than it makes sense to wait.
_WORKERLESS_S = 30
_T = TypeVar("_T")


@dataclass(frozen=True)
class Cluster:
    """A connection to the workers of a dask cluster.

    Attributes
    ----------
    client
        The connection to the scheduler.
    workers
        Addresses of the workers at the time of connecting.
    device, device_title
        Device that all workers predict on, and its name for messages.
    address
        Address of the scheduler, for messages.
    has_bfloat16
        Whether the devices of all workers have instructions for bfloat16.
    """

    client: Client
    workers: tuple[str, ...]
    device: str
    device_title: str
    address: str
    has_bfloat16: bool = False

    def torch_device(self) -> torch.device:
        """Return the device that the workers predict on."""
        import torch

        return torch.device(self.device)

    def run_batches(
        self, job: Job, batches: Sequence[Batch], is_whole: Callable[[BlockIndex], bool] = lambda _: True
    ) -> Generator[Answer, None, None]:
        """Predict batches on the workers, and yield each as it is done; see `pipeline.run_batches`.

        Parameters
        ----------
        job
            What workers need to know.
        batches
            All batches of the run.
        is_whole
            Whether a worker may finish a block, since no mask cuts it.

        Raises
        ------
        NapariInkError
            If a worker fails, workers are lost repeatedly, none is left for some time, or the scheduler is lost.
        """
        tasks = Tasks(self.client, self.workers, job, batches, is_whole)
        waiting = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-workers")
        try:
            with reporting_lost_scheduler(self.address):
                tasks.start()
            while tasks.are_left:
                task, made = self._wait_for(waiting.submit(tasks.next_result))
                with reporting_lost_scheduler(self.address):
                    patch = tasks.finish(task)
                    tasks.add_workers(self._current_workers())
                yield from _answers(patch, made)
        finally:
            with suppress(*_connection_errors()):
                tasks.cancel()
            waiting.shutdown(wait=False)  # its thread ends once the tasks are cancelled

    def _wait_for(self, result: Future[_T]) -> _T:
        """Return a result; wait without limit while there are workers, else only as long as a worker needs to restart.

        dask itself would wait for ever once all workers are gone.
        """
        deadline = None
        while not wait([result], timeout=_CHECK_S).done:
            with reporting_lost_scheduler(self.address):
                has_workers = bool(self._current_workers())
            if has_workers:
                deadline = None
            elif deadline is None:
                deadline = time.monotonic() + _WORKERLESS_S
            elif time.monotonic() > deadline:
                raise NapariInkError(
                    f"All workers of the scheduler at {self.address} are lost; start some, then --resume continues."
                )
        with reporting_lost_scheduler(self.address):
            return result.result()

    def _current_workers(self) -> set[str]:
        """Return the addresses of the workers that are connected now."""
        found = self.client.scheduler_info(n_workers=-1)
        if "workers" not in found:  # the client has given up reconnecting to its scheduler
            raise CancelledError("The connection is closed.")
        return set(found["workers"])


@contextmanager
def reporting_lost_scheduler(address: str) -> Iterator[None]:
    """Raise the various errors of a lost scheduler as one `NapariInkError`.

    Parameters
    ----------
    address
        Address of the scheduler, for the message.

    Raises
    ------
    NapariInkError
        If the connection to the scheduler is lost.
    """
    try:
        yield
    except _connection_errors() as error:
        raise NapariInkError(f"The scheduler at {address} is lost; start it again, then --resume continues.") from error


def _answers(patch: Patch, made: PatchAnswer) -> Iterator[Answer]:
    """Yield a worker's answers for the batches of a patch."""
    for batch, steps, bad in zip(patch.batches, made.probabilities, made.bad, strict=True):
        yield Answer(batch, None if steps is None else unpacked(steps), bad, made.finished)


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors that dask raises for a lost connection: cancelled futures and calls on a closed client."""
    from distributed.client import ClosedClientError

    return CancelledError, ClosedClientError, OSError
