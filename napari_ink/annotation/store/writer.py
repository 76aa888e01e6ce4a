"""The thread that writes: the journal at once, the chunks a little later and together, again and again if it must."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.annotation.store.edits import Edit, Plane
from napari_ink.annotation.store.history import Step
from napari_ink.annotation.store.journal import Journal, Kind
from napari_ink.annotation.store.marker import Marker, write_marker
from napari_ink.decoding import reason_of
from napari_ink.errors import OutputError

if TYPE_CHECKING:
    from napari_ink.annotation.store.chunks import Chunks

_WAIT_S = 0.3
_RETRY_S = 2.0
_AT_ONCE_BYTES = 8 * 2**20


class Writer:
    """Brings changes to the disk.

    Parameters
    ----------
    lock
        Held by whoever changes labels; the writer takes it for moments only.
    journal, chunks
        What it writes.
    marker
        The file that says up to which change the chunks are.
    counts
        Returns the labelled pixels by plane and value, which stand in the marker too.

    Attributes
    ----------
    number, written : int
        The last change, and the last one that is in the chunks on the disk.
    problem : str
        What keeps labels from being written, and what to do; empty when nothing does.
    """

    def __init__(
        self,
        lock: threading.RLock,
        journal: Journal,
        chunks: Chunks,
        marker: Path,
        counts: Callable[[], dict[Plane, dict[int, int]]],
    ) -> None:
        self.number = self.written = 0
        self.problem = ""
        self._lock, self._journalling = lock, threading.RLock()
        self._wake, self._idle = threading.Condition(lock), threading.Condition(lock)
        self._journal, self._chunks, self._marker, self._counts = journal, chunks, marker, counts
        self._queue: list[tuple[int, Kind, Edit, Step]] = []
        self._is_closing = self._is_hurried = False
        self._failures = 0
        self._thread: threading.Thread | None = None

    @property
    def is_saved(self) -> bool:
        """Whether everything is on the disk."""
        with self._lock:
            return self._thread is None or (not self._chunks.is_dirty and self.written == self.number)

    @property
    def journalled(self) -> int:
        """The number of the last change that a crash cannot take away."""
        with self._lock:
            return self.number - len(self._queue)

    def submit(self, kind: Kind, edit: Edit, step: Step) -> None:
        """Take one change that is in the chunks in memory already; the lock is held."""
        self.number += 1
        self._queue.append((self.number, kind, edit, step))
        if sum(change.after.size for change in edit.changes) <= _AT_ONCE_BYTES:
            self._journal_at_once()
        self.start()
        self._wake.notify_all()

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_written, name="napari-ink annotation", daemon=True)
            self._thread.start()

    def mark(self) -> None:
        """Write the marker anew, where the chunks on the disk are complete.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        write_marker(self._marker, Marker(self.written, self._counts()))

    def wake(self) -> None:
        """Have the thread write what is not written yet; the lock is held."""
        self.start()
        self._wake.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until everything is on the disk.

        Raises
        ------
        OutputError
            If it cannot be written, or not within the time.
        """
        with self._lock:
            self._is_hurried = True
            failures = self._failures  # what was the matter before may be over: it is tried again at once
            self._wake.notify_all()
            self._idle.wait_for(lambda: self.is_saved or self._failures > failures, seconds)
            self._is_hurried = False
            if not self.is_saved:
                raise OutputError(self.problem or f"The labels were not written within {seconds:.0f} s; try again.")

    def stop(self) -> None:
        """End the thread, once all is written."""
        with self._lock:
            self._is_closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _journal_at_once(self) -> None:
        """Put a small change into the journal before anything else happens; a killed program loses nothing then."""
        # If the thread is at it just now, or fails with an earlier one, the change waits in the queue like that.
        if len(self._queue) == 1 and self._journalling.acquire(blocking=False):
            try:
                self._write_journal()
            except OSError:
                return  # the thread tries again, and says what the matter is
            finally:
                self._journalling.release()

    def _keep_written(self) -> None:
        while True:
            with self._lock:
                if not self._queue and not self._chunks.is_dirty:
                    self._idle.notify_all()
                    if self._is_closing:
                        return
                self._wake.wait_for(lambda: bool(self._queue) or self._chunks.is_dirty or self._is_closing)
                if self._is_closing and not self._queue and not self._chunks.is_dirty:
                    return
            is_written = self._attempt(self._write_journal)
            if is_written:
                with self._lock:
                    self._wake.wait_for(lambda: self._is_hurried or self._is_closing, _WAIT_S)
                is_written = self._attempt(self._write_chunks)
            with self._lock:
                if is_written:
                    self.problem = ""
                else:
                    self._failures += 1
                    self._idle.notify_all()
                    self._wake.wait_for(lambda: self._is_closing or self._is_hurried, _RETRY_S)

    def _attempt(self, write: Callable[[], None]) -> bool:
        try:
            write()
        # A codec may raise others than OSError; an exception that ended this thread would end all saving in silence.
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            reason = reason_of(error)
            self.problem = (
                f"Your labels cannot be saved in {self._marker.parent}: {reason}; free some space or allow writing "
                "there. It is tried again every few seconds, and nothing is lost while this stays open."
            )
            return False
        return True

    def _write_journal(self) -> None:
        with self._journalling:
            self._append_queue()

    def _append_queue(self) -> None:
        with self._lock:
            entries = list(self._queue)
        if not entries:
            return
        places = self._journal.append([(number, kind, edit) for number, kind, edit, _ in entries])
        with self._lock:
            for (_, kind, _, step), (offset, size) in zip(entries, places, strict=True):
                if kind == "edit":
                    step.offset, step.size = offset, size
            del self._queue[: len(entries)]
            waiting = {id(step) for _, _, _, step in self._queue}
            for _, _, _, step in entries:
                if step.size and id(step) not in waiting:
                    step.edit = None  # the journal has the values now

    def _write_chunks(self) -> None:
        self._write_journal()
        with self._lock:
            if self._queue:  # something new: its record goes first
                return
            through, chunks, counts = self.number, self._chunks.take_dirty(), self._counts()
        try:
            self._journal.sync()
            for key, chunk in chunks.items():
                self._chunks.store(key, chunk)
            write_marker(self._marker, Marker(through, counts))
        except BaseException:
            with self._lock:
                self._chunks.put_back()
            raise
        with self._lock:
            self._chunks.are_stored()
            self.written = through
