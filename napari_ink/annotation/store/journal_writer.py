"""The journal's thread: it appends each change as soon as it is handed over, so that drawing never waits for a disk.

`put` only queues, which touches no disk. The thread appends in the same order, and waits for nothing but the disk and
Python's interpreter lock: a stroke is usually in the journal some milliseconds after it ended.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from napari_ink.annotation.store.history import RecentSteps
from napari_ink.annotation.store.write_problem import WRITE_ERRORS, problem_of
from napari_ink.errors import OutputError

if TYPE_CHECKING:
    from napari_ink.annotation.store.edits import Edit
    from napari_ink.annotation.store.history import Step
    from napari_ink.annotation.store.journal import Journal, Kind

# A stroke is in the journal, safe from a crash of the program, at most this long after its end, or people are told.
BUDGET_S = 1.0
RETRY_S = 2.0
# Large edits, such as a draft of a whole segment, may take longer: compressing and writing is at least this fast.
_BYTES_PER_S = 100e6
# Most bytes of values that may wait besides the largest change; hours of strokes fit.
_MOST_WAITING_BYTES = 256 * 2**20
# Memory that a change takes besides its values.
_ENTRY_BYTES = 1024
# Size of what is appended at once, and counts as written only as a whole.
_BATCH_BYTES = 16 * 2**20
_LOOK_AGAIN_S = 0.05
# Most bytes of values that stay in memory after they were written: some hundred strokes can be undone from there.
_RECENT_BYTES = 32 * 2**20
_EXIT_S = 10.0


class Entry(NamedTuple):
    """A change that waits for the journal."""

    number: int
    kind: Kind
    edit: Edit
    step: Step
    size: int
    at: float


class JournalWriter:
    """Appends changes to the journal on a thread, in the order in which they were handed over.

    Parameters
    ----------
    lock
        Lock that protects the labels; the thread holds it only briefly, and never while it writes.
    journal
        Journal to write.

    Attributes
    ----------
    failures : int
        Number of attempts that failed.
    """

    def __init__(self, lock: threading.RLock, journal: Journal) -> None:
        self.failures = 0
        self._lock, self._journal = lock, journal
        self._given, self._written = threading.Condition(lock), threading.Condition(lock)
        self._queue: deque[Entry] = deque()
        self._waiting_bytes = 0
        self._problem = ""
        self._is_closing = self._must_retry = False
        self._thread: threading.Thread | None = None
        self._recent = RecentSteps(_RECENT_BYTES)

    @property
    def waiting(self) -> int:
        """Number of changes that are not in the journal yet."""
        with self._lock:
            return len(self._queue)

    @property
    def problem(self) -> str:
        """Sentence about why changes are not in the journal, and what to do; empty if there is no problem."""
        with self._lock:
            if self._problem or not self._is_behind():
                return self._problem
            return (
                f"Your last changes are not in {self._journal.path.parent} yet: its disk is slow. Keep this open until "
                "they are saved; nothing is lost while it stays open."
            )

    def put(self, number: int, kind: Kind, edit: Edit, step: Step) -> None:
        """Hand over a change, without touching the disk; the caller holds the lock."""
        size = _ENTRY_BYTES + sum(change.before.nbytes + change.after.nbytes for change in edit.changes)
        self._queue.append(Entry(number, kind, edit, step, size, time.monotonic()))
        self._waiting_bytes += size
        if self._thread is None:
            self._start()
        self._given.notify_all()

    def wait_for_room(self) -> None:
        """Return once memory allows another change; the caller holds the lock, which is free meanwhile.

        An edit waits for a disk that is slower than the edits, but not for one that stalls or fails.

        Raises
        ------
        OutputError
            If the disk has fallen too far behind.
        """
        while not (self._has_room() or self._problem or self._is_behind()):
            self._written.wait(_LOOK_AGAIN_S)
        if not self._has_room():
            raise OutputError(
                f"This change was not made, because {self._waiting_bytes // 2**20} MiB of earlier ones wait to be "
                f"written to {self._journal.path.parent}; free some space there, or wait until they are saved."
            )

    def wait_until(self, number: int) -> bool:
        """Wait until a change and all before it are in the journal; return False if one of them cannot be written."""
        with self._lock:
            failures = self.failures
            self._written.wait_for(lambda: self._is_through(number) or self.failures > failures)
            return self._is_through(number)

    def retry(self) -> None:
        """Repeat a failed attempt now; the caller holds the lock."""
        self._must_retry = True
        self._given.notify_all()

    def stop(self) -> None:
        """End the thread; waiting changes are written first, if they can be."""
        with self._lock:
            self._is_closing = True
            self._given.notify_all()
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self._finish)

    def _start(self) -> None:
        # A daemon, since a program that never closes its project must end. `_finish` waits for its writes.
        self._thread = threading.Thread(target=self._run, name="napari-ink journal", daemon=True)
        self._thread.start()
        atexit.register(self._finish)

    def _finish(self) -> None:
        """Wait at the end of the program until all changes are written, or cannot be."""
        # In a process made by fork the thread does not live. The changes are its parent's to write.
        if self._thread is None or not self._thread.is_alive():
            return
        with self._lock:
            failures = self.failures
            self.retry()
            self._written.wait_for(lambda: not self._queue or self.failures > failures, _EXIT_S)
            if self._queue:
                sys.stderr.write(f"{len(self._queue)} changes of labels were not written. {self.problem}\n")

    def _is_through(self, number: int) -> bool:
        return not self._queue or self._queue[0].number > number

    def _is_behind(self) -> bool:
        allowed_s = BUDGET_S + self._waiting_bytes / _BYTES_PER_S
        return bool(self._queue) and time.monotonic() - self._queue[0].at > allowed_s

    def _has_room(self) -> bool:
        # The largest change is not counted, since a single one may be as large as the segment.
        if self._waiting_bytes <= _MOST_WAITING_BYTES:
            return True
        return self._waiting_bytes - max(entry.size for entry in self._queue) <= _MOST_WAITING_BYTES

    def _run(self) -> None:
        while True:
            with self._lock:
                self._given.wait_for(lambda: bool(self._queue) or self._is_closing)
                if not self._queue:
                    return
                entries = self._next()
            try:
                places = self._journal.append([(entry.number, entry.kind, entry.edit) for entry in entries])
            except WRITE_ERRORS as error:
                if not self._wait_after(error):
                    return
            else:
                with self._lock:
                    self._are_written(entries, places)

    def _next(self) -> list[Entry]:
        """Return the changes to append next: the oldest one, and those after it up to a limit."""
        batch: list[Entry] = []
        total = 0
        for entry in self._queue:
            total += entry.size
            if batch and total > _BATCH_BYTES:
                break
            batch.append(entry)
        return batch

    def _wait_after(self, error: Exception) -> bool:
        """Wait after a failure; return whether to try again."""
        with self._lock:
            self._problem = problem_of(error, self._journal.path.parent)
            self.failures += 1
            self._must_retry = False
            self._written.notify_all()
            self._given.wait_for(lambda: self._is_closing or self._must_retry, RETRY_S)
            return not self._is_closing

    def _are_written(self, entries: list[Entry], places: list[tuple[int, int]]) -> None:
        self._problem = ""
        for entry, (offset, size) in zip(entries, places, strict=True):
            if entry.kind == "edit":
                entry.step.offset, entry.step.size = offset, size
            self._waiting_bytes -= entry.size
            self._queue.popleft()
        still_waiting = {id(entry.step) for entry in self._queue}
        for entry in entries:
            if entry.step.size and id(entry.step) not in still_waiting:
                self._recent.add(entry.step, entry.size)
        self._written.notify_all()
