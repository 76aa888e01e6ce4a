"""The writer thread: it writes the journal at once and the chunks together a little later, and retries on errors."""

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

# Strokes within this time are written to the chunks together.
_WAIT_S = 0.3
_RETRY_S = 2.0
# Larger changes are journalled on the thread, since compressing them would block the window.
_AT_ONCE_BYTES = 8 * 2**20


class Writer:
    """Writes changes to disk.

    Parameters
    ----------
    lock
        Lock that protects the labels; the writer holds it only briefly.
    journal, chunks
        Journal and chunks to write.
    marker
        Path of the marker.
    counts
        Returns the number of pixels by plane and value, for the marker.

    Attributes
    ----------
    number, written : int
        Numbers of the last change, and of the last change that is in the chunks on disk.
    problem : str
        Sentence about why labels cannot be written, and what to do; empty if there is no problem.
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
        """Whether all changes are on disk."""
        with self._lock:
            return self._thread is None or (not self._chunks.is_dirty and self.written == self.number)

    @property
    def journalled(self) -> int:
        """Number of the last change that is in the journal, safe from a crash."""
        with self._lock:
            return self.number - len(self._queue)

    def submit(self, kind: Kind, edit: Edit, step: Step) -> None:
        """Queue a change that is in the chunks in memory already; the caller holds the lock."""
        self.number += 1
        self._queue.append((self.number, kind, edit, step))
        if sum(change.after.size for change in edit.changes) <= _AT_ONCE_BYTES:
            self._journal_at_once()
        self.start()
        self._wake.notify_all()

    def start(self) -> None:
        """Start the thread if it is not running."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_written, name="napari-ink annotation", daemon=True)
            self._thread.start()

    def mark(self) -> None:
        """Write the marker; the chunks on disk must be up to date.

        Raises
        ------
        OSError
            If the marker cannot be written.
        """
        write_marker(self._marker, Marker(self.written, self._counts()))

    def wake(self) -> None:
        """Have the thread write pending changes; the caller holds the lock."""
        self.start()
        self._wake.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until all changes are on disk.

        Raises
        ------
        OutputError
            If they cannot be written, or not within `seconds`.
        """
        with self._lock:
            self._is_hurried = True
            failures = self._failures  # an earlier problem may be over, so only a new failure counts
            self._wake.notify_all()
            self._idle.wait_for(lambda: self.is_saved or self._failures > failures, seconds)
            self._is_hurried = False
            if not self.is_saved:
                raise OutputError(self.problem or f"The labels were not written within {seconds:.0f} s; try again.")

    def stop(self) -> None:
        """End the thread after all changes are written."""
        with self._lock:
            self._is_closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _journal_at_once(self) -> None:
        """Journal a small change before `submit` returns, so that a killed program does not lose it."""
        # If the thread is journalling just now, or earlier changes wait after a failure, this one waits in the queue.
        if len(self._queue) == 1 and self._journalling.acquire(blocking=False):
            try:
                self._write_journal()
            except OSError:
                return  # the thread tries again and reports the problem
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
        # Codecs raise other errors than OSError; one that ended this thread would silently end all saving.
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
            if self._queue:  # a new change: its record must be written before its chunks
                return
            through, chunks, counts = self.number, self._chunks.take_dirty(), self._counts()
        try:
            self._journal.sync()
            if not self.written and not self._marker.exists():
                # After a crash between the first chunks and their marker, this one has every change replayed.
                write_marker(self._marker, Marker(0, {}))
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
