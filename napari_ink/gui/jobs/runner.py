"""Jobs in the background, one at a time of each kind; the answers of a job that was replaced are dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_ink.gui.jobs.worker import Events, EventWorker, JobFailed, start_worker
from napari_ink.gui.models.state import Step

Deliver = Callable[[Any], None]


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
        self._workers: dict[str, EventWorker] = {}
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
            Called on this thread with each event.
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
        has_failed = False

        def deliver(event: Any) -> None:
            nonlocal has_failed
            if self._workers.get(kind) is not worker:
                return
            if not isinstance(event, JobFailed):
                on_event(event)
                if step is not None:
                    self._succeed(step)
                return
            has_failed = True
            if on_failure is not None:
                on_failure(event)
            elif not is_silent:
                self._report(event.message, step)

        def end() -> None:
            if self._workers.get(kind) is not worker:
                return
            self._forget(kind)
            if on_end is not None and not has_failed:
                on_end()

        if busy:
            self._set_busy(busy)
            self._busy_kind = kind
        # Events arrive through the event loop, so none is delivered before the worker is noted here.
        worker = self._workers[kind] = start_worker(events, deliver, end)

    def is_running(self, kind: str) -> bool:
        """Whether a job of a kind runs whose answers are still wanted."""
        return kind in self._workers

    def cancel(self, *kinds: str) -> None:
        """Stop jobs of these kinds at their next event and drop their answers; all jobs if no kind is named."""
        for kind in kinds or tuple(self._workers):
            if (worker := self._workers.get(kind)) is not None:
                worker.quit()
                self._forget(kind)

    def _forget(self, kind: str) -> None:
        del self._workers[kind]
        if self._busy_kind == kind:
            self._busy_kind = ""
            self._set_busy("")
