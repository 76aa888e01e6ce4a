"""Worker threads that run generators of frozen events and deliver the events on the thread of the window.

napari's own generator worker is not used because of three faults (superqt 0.9): while it runs, it replaces Python's
warning filters in all threads; a `RuntimeError`, which torch raises for most errors, ends it without a signal; and a
generator that is stopped early is never closed, so that its last data are saved late or never.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal

from napari_ink.errors import NapariInkError

_log = logging.getLogger(__name__)
_NICE = 10
_alive: set[EventWorker] = set()

Events = Generator[Any, None, None]


@dataclass(frozen=True, slots=True)
class JobFailed:
    """Event: the job failed; `message` is a sentence for the user, `error` the exception."""

    message: str
    error: Exception | None = field(default=None, compare=False)


class EventWorker(QObject):
    """Worker that runs a generator on its own thread, and closes it there in any case.

    Errors are emitted as `JobFailed`; unexpected exceptions also reach napari's hook for threads.
    """

    yielded = Signal(object)
    finished = Signal()

    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events
        self._is_asked_to_quit = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._thread = threading.Thread(target=self._work, name="napari-ink worker")

    @property
    def is_running(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, and keep the worker alive until it has finished."""
        _alive.add(self)
        self.finished.connect(partial(_alive.discard, self))
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(_end_all)
        self._thread.start()

    def quit(self) -> None:
        """Request an end at the next event."""
        self._is_asked_to_quit.set()
        self._may_go_on.set()

    def wait(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def pause(self) -> None:
        """Request a pause at the next event."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """Resume after a pause."""
        self._may_go_on.set()

    def _work(self) -> None:
        _lower_priority()
        try:
            self._go_through()
        except NapariInkError as error:
            self.yielded.emit(JobFailed(str(error), error))
        except RuntimeError as error:
            _log.exception("A job failed")
            reason = " ".join(str(error).split())[:300]
            self.yielded.emit(JobFailed(f"The job stopped: {reason}; run it again, or choose another device."))
        except BaseException as error:
            # A fault in the program: napari's hook for threads shows the traceback.
            self.yielded.emit(JobFailed(f"The job stopped because of a fault in the program ({type(error).__name__})."))
            raise
        finally:
            self.finished.emit()

    def _go_through(self) -> None:
        try:
            for event in self._events:
                self.yielded.emit(event)
                self._may_go_on.wait()
                if self._is_asked_to_quit.is_set():
                    return
        finally:
            self._events.close()


def _end_all() -> None:
    """Stop all workers after their current event, and wait for them, because the last window is closed.

    Python would wait for the threads as well, but would no longer let them start threads to store a batch.
    """
    waiting = [*_alive]
    for worker in waiting:
        worker.quit()
    for worker in waiting:
        worker.wait()


def _lower_priority() -> None:
    """Lower the priority of this thread and of those that it starts, so that the window stays responsive."""
    if sys.platform == "linux":  # elsewhere only a whole process has a priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def start_worker(events: Events, on_event: Callable[[Any], None], on_end: Callable[[], None]) -> EventWorker:
    """Run a generator on a worker thread.

    Parameters
    ----------
    events
        Generator to run; its body runs on the worker thread.
    on_event
        Function called on this thread with each event.
    on_end
        Function called on this thread once the generator has ended for any reason.
    """
    worker = EventWorker(events)
    worker.yielded.connect(on_event)
    worker.finished.connect(on_end)
    worker.start()
    return worker
