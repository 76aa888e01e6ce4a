"""Writing labels: one thread appends changes to the journal at once, another writes the chunks together a little later.

Drawing waits for neither. The chunks of a change are written after its record has been synced to the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.annotation.store.edits import Edit, Plane
from napari_ink.annotation.store.history import Step
from napari_ink.annotation.store.journal import Journal, Kind
from napari_ink.annotation.store.journal_writer import RETRY_S, JournalWriter
from napari_ink.annotation.store.marker import Marker, write_marker
from napari_ink.annotation.store.write_problem import WRITE_ERRORS, problem_of
from napari_ink.errors import OutputError

if TYPE_CHECKING:
    from napari_ink.annotation.store.chunks import Chunks, Key
    from napari_ink.typing import UInt8Array

# Strokes within this time are written to the chunks together.
_WAIT_S = 0.3


class Writer:
    """Writes changes to disk.

    Parameters
    ----------
    lock
        Lock that protects the labels; the threads hold it only briefly.
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
        self._lock = lock
        self._wake, self._idle = threading.Condition(lock), threading.Condition(lock)
        self._journal, self._chunks, self._marker, self._counts = journal, chunks, marker, counts
        self._records = JournalWriter(lock, journal)
        self._is_closing = False
        self._flushing = 0
        self._problem = ""
        self._failures = 0
        self._thread: threading.Thread | None = None

    @property
    def is_saved(self) -> bool:
        """Whether all changes are on disk."""
        with self._lock:
            return self._thread is None or (not self._chunks.is_dirty and self.written == self.number)

    @property
    def problem(self) -> str:
        """Sentence about why labels are not written, and what to do; empty if there is no problem."""
        return self._records.problem or self._problem

    @property
    def journalled(self) -> int:
        """Number of the last change that is in the journal, safe from a crash."""
        with self._lock:
            return self.number - self._records.waiting

    def wait_for_room(self) -> None:
        """Return once memory allows another change; the caller holds the lock.

        Raises
        ------
        OutputError
            If the disk has fallen too far behind.
        """
        self._records.wait_for_room()

    def submit(self, kind: Kind, edit: Edit, step: Step) -> None:
        """Queue a change that is in the chunks in memory already; the caller holds the lock."""
        self.number += 1
        self._records.put(self.number, kind, edit, step)
        self.wake()

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
            self._flushing += 1
            failures = self._failures  # an earlier problem may be over, so only a new failure counts
            self._records.retry()
            self._wake.notify_all()
            self._idle.wait_for(lambda: self.is_saved or self._failures > failures, seconds)
            self._flushing -= 1
            if not self.is_saved:
                raise OutputError(self.problem or f"The labels were not written within {seconds:.0f} s; try again.")

    def stop(self) -> None:
        """End the threads after all changes are written."""
        with self._lock:
            self._is_closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._records.stop()

    @property
    def _has_work(self) -> bool:
        return self._chunks.is_dirty or self.written < self.number

    def _keep_written(self) -> None:
        while True:
            with self._lock:
                if not self._has_work:
                    self._idle.notify_all()
                self._wake.wait_for(lambda: self._has_work or self._is_closing)
                if not self._has_work:
                    return
                self._wake.wait_for(self._is_hurried, _WAIT_S)
            is_written = self._attempt()
            with self._lock:
                if not is_written:
                    self._failures += 1
                    self._idle.notify_all()
                    if self._is_closing:
                        return
                    self._wake.wait_for(self._is_hurried, RETRY_S)

    def _is_hurried(self) -> bool:
        return self._flushing > 0 or self._is_closing

    def _attempt(self) -> bool:
        try:
            is_written = self._write_chunks()
        except WRITE_ERRORS as error:
            self._problem = problem_of(error, self._marker.parent)
            return False
        self._problem = ""
        return is_written

    def _write_chunks(self) -> bool:
        """Write the chunks and the marker of all changes so far; return False as `_write_through` does."""
        with self._lock:
            through, chunks, counts = self.number, self._chunks.take_dirty(), self._counts()
        is_written = False
        try:
            is_written = self._write_through(Marker(through, counts), chunks)
        finally:
            with self._lock:
                if is_written:
                    self._chunks.are_stored()
                    self.written = through
                else:
                    self._chunks.put_back()
        return is_written

    def _write_through(self, marker: Marker, chunks: Mapping[Key, UInt8Array]) -> bool:
        """Write chunks and then their marker; return False if the journal, which comes first, cannot be written."""
        if not self._records.wait_until(marker.through):
            return False
        self._journal.sync()
        if not self.written and not self._marker.exists():
            # After a crash between the first chunks and their marker, this one has every change replayed.
            write_marker(self._marker, Marker(0, {}))
        for key, chunk in chunks.items():
            self._chunks.store(key, chunk)
        write_marker(self._marker, marker)
        return True
