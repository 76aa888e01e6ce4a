"""Tasks of a run on a cluster: the patches that are left, and those that workers have."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ink.errors import NapariInkError
from napari_ink.predict.cluster.patches import Patch, PatchAnswer, in_patches, in_shares, width_of, with_own_blocks
from napari_ink.predict.cluster.worker import Job, answer
from napari_ink.predict.tiles import Batch, BlockIndex

if TYPE_CHECKING:
    from distributed import Client, Future


_TASKS_PER_WORKER = 8
# One task runs while the next waits at the worker, so that it never waits for the network.
_WAITING_PER_WORKER = 2
_RETRIES = 3


class Tasks:
    """Tasks of a run, which are submitted to workers as these finish earlier ones.

    Parameters
    ----------
    client
        The connection to the scheduler.
    workers
        Addresses of the workers; more may be added later.
    job
        What workers need to know.
    batches
        All batches of the run.
    is_whole
        Whether a worker may finish a block, since no mask cuts it.
    """

    def __init__(
        self,
        client: Client,
        workers: Sequence[str],
        job: Job,
        batches: Sequence[Batch],
        is_whole: Callable[[BlockIndex], bool],
    ) -> None:
        from distributed import as_completed

        patches = list(in_patches(batches, job.grid, len(workers) * _TASKS_PER_WORKER))
        self._client, self._workers = client, list(workers)
        self._job = replace(job, row_px=max(map(width_of, patches), default=None))
        self._shares = in_shares(patches, len(workers))
        self._touched = Counter(block for batch in batches for block in batch.blocks)
        self._may_finish = None if job.codec is None else is_whole
        self._submitted: dict[Future[PatchAnswer], tuple[int, Patch]] = {}
        self._completed = as_completed()

    @property
    def are_left(self) -> bool:
        """Whether workers have tasks that are not finished."""
        return bool(self._submitted)

    def start(self) -> None:
        """Submit the first tasks of all workers."""
        for _ in range(_WAITING_PER_WORKER):
            for worker in range(len(self._workers)):
                self._submit_next(worker)

    def next_result(self) -> tuple[Future[PatchAnswer], PatchAnswer]:
        """Wait until a task is done, and return it with its result.

        Raises
        ------
        NapariInkError
            If a worker fails, or workers are lost repeatedly.
        """
        from distributed.scheduler import KilledWorker

        task = next(self._completed)
        try:
            return task, task.result()
        except KilledWorker as error:
            raise NapariInkError("Workers were lost repeatedly on the same tiles; their logs say why.") from error
        except OSError as error:
            if task.status != "error":
                raise
            # An OSError of the worker's own, such as a file it may not read, is not a lost connection.
            raise NapariInkError(f"A worker failed ({error}); its log says why.") from error

    def finish(self, task: Future[PatchAnswer]) -> Patch:
        """Return the patch of a task that is done, and submit the next one of its worker."""
        worker, patch = self._submitted.pop(task)
        self._submit_next(worker)
        return patch

    def add_workers(self, addresses: Iterable[str]) -> None:
        """Submit tasks to workers that are new; they have no share of their own and help with the longest one."""
        for newcomer in set(addresses).difference(self._workers):
            self._workers.append(newcomer)
            self._shares.append(deque())
            for _ in range(_WAITING_PER_WORKER):
                self._submit_next(len(self._workers) - 1)

    def cancel(self) -> None:
        """Cancel all tasks that are not done."""
        self._client.cancel(list(self._submitted))

    def _submit_next(self, worker: int) -> None:
        """Submit the next patch of a worker's share, next to its last one, or else of the longest share left."""
        share = self._shares[worker] or max(self._shares, key=len)
        if not share:
            return
        patch = with_own_blocks(share.popleft(), self._touched, self._may_finish)
        # Not pure: dask must not merge tasks. Other workers are allowed, since a lost one must not block its patch.
        task = self._client.submit(
            answer,
            self._job,
            patch,
            pure=False,
            retries=_RETRIES,
            workers=[self._workers[worker]],
            allow_other_workers=True,
        )
        self._submitted[task] = worker, patch
        self._completed.add(task)
