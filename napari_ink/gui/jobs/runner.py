"""Jobs in the background, one at a time of each kind; the answers of a job that was replaced are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari_ink.gui.jobs.worker import Events, EventWorker, JobFailed, start_worker
from napari_ink.gui.models.state import Step

Deliver = Callable[[Any], None]


# The cycle of a request:
#   1. A view emits `*_requested`. A controller makes a generator that holds all it needs (arrays, paths, thresholds as
#      they are now, since state and layers may have changed by the time it runs) and gives it to `JobRunner.run`.
#   2. `run` stops the job of the same kind, if there is one, and starts a thread that runs the generator.
#   3. Each event comes back to the thread of the window through Qt's event loop, to `_deliver`. There it is stale if
#      its job is no longer the current one of its kind (it was replaced or cancelled meanwhile), and is dropped: an
#      event may be waiting in the loop already when its job is stopped, so stopping the thread is not enough.
#   4. An event that is not stale goes to the controller, which changes layers or the store of labels and updates the
#      `StateStore`. The views render that state once, at the end of the turn of the event loop.
#   5. An error ends the job with a `JobFailed`, whose sentence takes the same way: to the controller if it handles
#      failures, else through `report` to `StateStore.fail`, which shows it in the panel of the job's step and in a
#      toast.
@dataclass(eq=False, slots=True)
class _Job:
    """A job that was started, and where its answers go."""

    kind: str
    on_event: Deliver
    on_failure: Callable[[JobFailed], None] | None
    on_end: Callable[[], None] | None
    step: Step | None
    is_silent: bool
    worker: EventWorker | None = None
    has_failed: bool = False


class JobRunner:
    """Starts jobs, drops stale answers, reports failures and cancels.

    A job belongs to a kind, such as ``"export"``. Starting another job of its kind stops it at its next event, and
    nothing that it still yields arrives. So a controller never asks itself whether an answer is still wanted.

    Parameters
    ----------
    report
        Called with one sentence, and the step of the panel, when a job fails and nobody else handles it.
    succeed
        Called with the step of the panel when a job has answered.
    set_busy
        Called with what is being done, and with an empty text when it is over.
    """

    def __init__(
        self,
        report: Callable[[str, Step | None], None],
        succeed: Callable[[Step], None],
        set_busy: Callable[[str], None],
    ) -> None:
        self._report, self._succeed, self._set_busy = report, succeed, set_busy
        self._current: dict[str, _Job] = {}
        self._busy_kind = ""

    def run(
        self,
        kind: str,
        events: Events,
        on_event: Deliver,
        *,
        on_failure: Callable[[JobFailed], None] | None = None,
        on_end: Callable[[], None] | None = None,
        step: Step | None = None,
        busy: str = "",
        is_silent: bool = False,
    ) -> None:
        """Run a job on a thread, in place of an earlier one of its kind.

        Parameters
        ----------
        kind
            The kind of job.
        events
            The work, a generator of events.
        on_event
            Called on the thread of the window with each event.
        on_failure
            Called with an error instead of reporting it.
        on_end
            Called when the job is over without having failed.
        step
            The step of the panel that the job belongs to.
        busy
            What to show as being done until the job is over.
        is_silent
            Whether an error is neither handled nor reported: it will come back where it matters.
        """
        self.cancel(kind)
        job = self._current[kind] = _Job(kind, on_event, on_failure, on_end, step, is_silent)
        if busy:
            self._set_busy(busy)
            self._busy_kind = kind
        job.worker = start_worker(events, partial(self._deliver, job), partial(self._end, job))

    def is_running(self, kind: str) -> bool:
        """Whether a job of a kind runs whose answers are still wanted."""
        return kind in self._current

    def cancel(self, *kinds: str) -> None:
        """Stop jobs of these kinds at their next event and drop their answers; all jobs if no kind is named."""
        for kind in kinds or tuple(self._current):
            if (job := self._current.get(kind)) is not None:
                if job.worker is not None:
                    job.worker.quit()
                self._remove(job)

    def _is_stale(self, job: _Job) -> bool:
        return self._current.get(job.kind) is not job

    def _deliver(self, job: _Job, event: Any) -> None:
        if self._is_stale(job):
            return
        if isinstance(event, JobFailed):
            self._fail(job, event)
            return
        job.on_event(event)
        if job.step is not None:
            self._succeed(job.step)

    def _fail(self, job: _Job, failure: JobFailed) -> None:
        job.has_failed = True
        if job.on_failure is not None:
            job.on_failure(failure)
        elif not job.is_silent:
            self._report(failure.message, job.step)

    def _end(self, job: _Job) -> None:
        if self._is_stale(job):
            return
        self._remove(job)
        if job.on_end is not None and not job.has_failed:
            job.on_end()

    def _remove(self, job: _Job) -> None:
        del self._current[job.kind]
        if self._busy_kind == job.kind:
            self._busy_kind = ""
            self._set_busy("")
