"""Runner of background jobs, one at a time of each kind; results of a replaced job are dropped."""

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
    """Running job, and the functions that receive its events."""

    kind: str
    on_event: Deliver
    on_failure: Callable[[JobFailed], None] | None
    on_end: Callable[[], None] | None
    step: Step | None
    is_silent: bool
    worker: EventWorker | None = None
    has_failed: bool = False


class JobRunner:
    """Runner that starts and cancels jobs, drops stale events, and reports failures.

    A job belongs to a kind, such as ``"export"``. Starting another job of the same kind stops it at its next event, and
    its later events are dropped. So controllers need not check whether an event is stale.

    Parameters
    ----------
    report
        Function called with an error message and the step of the panel, if a job fails without its own handler.
    succeed
        Function called with the step of the panel after each event.
    set_busy
        Function called with a description when a job starts, and with an empty text when it ends.
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
            Kind of the job.
        events
            Generator of events that does the work.
        on_event
            Function called on the GUI thread with each event.
        on_failure
            Function called with an error instead of `report`.
        on_end
            Function called once the job has ended without an error.
        step
            Step of the panel that the job belongs to.
        busy
            Description to show until the job ends.
        is_silent
            Whether errors are ignored, because a later action would show them again.
        """
        self.cancel(kind)
        job = self._current[kind] = _Job(kind, on_event, on_failure, on_end, step, is_silent)
        if busy:
            self._set_busy(busy)
            self._busy_kind = kind
        job.worker = start_worker(events, partial(self._deliver, job), partial(self._end, job))

    def is_running(self, kind: str) -> bool:
        """Whether a job of a kind is running and was not cancelled."""
        return kind in self._current

    def cancel(self, *kinds: str) -> None:
        """Stop jobs of these kinds at their next event and drop their later events; all jobs if no kind is given."""
        for kind in kinds or tuple(self._current):
            if (job := self._current.get(kind)) is not None:
                if job.worker is not None:
                    job.worker.quit()
                self._remove(job)

    def pause(self, kind: str) -> None:
        """Let the job of a kind wait after its next event."""
        if (job := self._current.get(kind)) is not None and job.worker is not None:
            job.worker.pause()

    def resume(self, kind: str) -> None:
        """Resume the job of a kind after a pause."""
        if (job := self._current.get(kind)) is not None and job.worker is not None:
            job.worker.resume()

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
