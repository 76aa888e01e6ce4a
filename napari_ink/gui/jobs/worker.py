"""Long work on a thread: generators of frozen events, whose events arrive on the thread of the window.

napari's own generator worker is not used, for three faults in it (superqt 0.9): for as long as it runs it replaces
Python's warning filters, for the window's thread too; a `RuntimeError`, which is what torch raises for most of what can
go wrong in it, ends it without any signal; and a generator that is stopped half-way is never closed, so that what it
would still save is saved late, or never.
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
    """The job ended with an error; `message` is one sentence for the user, `error` what was raised."""

    message: str
    error: Exception | None = field(default=None, compare=False)


class EventWorker(QObject):
    """Runs a generator on a thread of its own, and closes it there, however it ends.

    What goes wrong is told as `JobFailed`; what is a fault in the program is left to napari's hook for threads as well.
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
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; the worker lives until it has said that it is finished."""
        _alive.add(self)
        self.finished.connect(partial(_alive.discard, self))
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(_end_all)
        self._thread.start()

    def quit(self) -> None:
        """Ask for an end at the next event."""
        self._is_asked_to_quit.set()
        self._may_go_on.set()

    def wait(self) -> None:
        """Return once the thread has ended."""
        self._thread.join()

    def pause(self) -> None:
        """Ask it to wait at the next event."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._may_go_on.set()

    def _work(self) -> None:
        _step_back()
        try:
            self._go_through()
        except NapariInkError as error:
            self.yielded.emit(JobFailed(str(error), error))
        except RuntimeError as error:
            _log.exception("A job failed")
            reason = " ".join(str(error).split())[:300]
            self.yielded.emit(JobFailed(f"The work stopped: {reason}; run again, or choose another device."))
        except BaseException as error:
            # A fault in the program: napari's hook for threads shows all of it.
            self.yielded.emit(JobFailed(f"The work stopped by a fault in the program ({type(error).__name__})."))
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
    """Stop all workers after what they have in hand, and wait for them: the last window is closed.

    Python would wait for their threads too, but forbids them before that to start what they need to store a batch.
    """
    waiting = [*_alive]
    for worker in waiting:
        worker.quit()
    for worker in waiting:
        worker.wait()


def _step_back() -> None:
    """Let this thread, and those that it starts, wait for the window's where there are fewer cores than threads."""
    if sys.platform == "linux":  # elsewhere only a whole process has a priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def start_worker(events: Events, on_event: Callable[[Any], None], on_end: Callable[[], None]) -> EventWorker:
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
