"""Long work on a thread: generators of frozen events, whose events arrive on the thread of the window."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import GeneratorWorker

from napari_ink.errors import NapariInkError

_log = logging.getLogger(__name__)

Events = Generator[Any, None, None]


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job ended with an error; `message` is one sentence for the user."""

    message: str


def _guarded(events: Events) -> Events:
    """Pass events on, and turn what goes wrong into a last event `JobFailed`.

    napari's generator worker swallows a `RuntimeError` (neither `errored` nor `finished` would fire), and torch raises
    one for most of what can go wrong in it, so those end as events too.
    """
    try:
        yield from events
    except NapariInkError as error:
        yield JobFailed(str(error))
    except RuntimeError as error:
        _log.exception("A job failed")
        reason = " ".join(str(error).split())[:300]
        yield JobFailed(f"The work stopped: {reason or type(error).__name__}; run again, or choose another device.")


class EventWorker(GeneratorWorker):
    """A worker that closes its generator on its own thread once it has been asked to quit.

    napari's own drops the generator half-way, so that what it would still save is saved late, or never.
    """

    def __init__(self, events: Events) -> None:
        super().__init__(_guarded, events)
        self._events = events

    def work(self) -> Any:
        """Run the generator to its end or to the first event after `quit`."""
        try:
            return super().work()
        finally:
            try:
                self._events.close()
            except NapariInkError as error:
                self.yielded.emit(JobFailed(str(error)))


def start(events: Events, on_event: Callable[[Any], None], on_end: Callable[[], None]) -> EventWorker:
    """Run a generator on a thread.

    Parameters
    ----------
    events
        The work; it starts on the other thread.
    on_event
        Called on this thread with each event.
    on_end
        Called on this thread once all is over, however it ended.
    """
    worker = EventWorker(events)
    worker.yielded.connect(on_event)
    worker.finished.connect(on_end)
    worker.start()
    return worker
