"""The annotation store: label planes that survive a crash, with everything that was ever done to them.

An edit is in memory when `apply` returns, in the journal a moment later, and in the chunks within a second, all in the
background. What a crash can cost is the edit in hand: the journal has the others, and opening makes the chunks agree
with it. How: write-ahead logging, as databases do it (Mohan et al. 1992, simplified: values before and after are
stored whole, so replaying twice does no harm).
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from napari_ink.annotation.durable import write_durably
from napari_ink.annotation.edits import CHUNK_PX, PLANES, Block, Change, Edit, EditHeader, Plane, UInt8Array
from napari_ink.annotation.journal import Journal, Kind, Record
from napari_ink.errors import BadInputError, OutputError

_WAIT_S = 0.3
_RETRY_S = 2.0
_AT_ONCE_BYTES = 8 * 2**20
_JOURNAL_BYTES = 256 * 2**20
PLANES_NAME, JOURNAL_NAME, MARKER_NAME = "annotation.zarr", "journal.bin", "written.json"


@dataclass(slots=True)
class _Step:
    """One edit that can be undone or redone: its values in memory until the journal has them, then where they lie."""

    header: EditHeader
    edit: Edit | None = None
    offset: int = 0
    size: int = 0


class Annotation:
    """Labels of one segment on disk, and their history.

    Every method may be called from any thread. One `Annotation` at most may write to a folder at a time.

    Parameters
    ----------
    folder
        The project's folder; an empty annotation is made there if it holds none.
    shape
        The segment's height and width in pixels.
    author
        Who is editing; the name of the user when None.
    read_only
        Whether to look on only: nothing is written, not even what a crash left to be repaired.
    journal_bytes
        Above this size the journal gives up the values of its oldest edits, on opening.

    Attributes
    ----------
    shape : tuple of int
        Height and width.
    read_only : bool
        As given.
    problem : str
        What keeps the labels from being written, and what to do; empty when nothing does.

    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, int],
        author: str | None = None,
        read_only: bool = False,
        journal_bytes: int = _JOURNAL_BYTES,
    ) -> None:
        self.shape, self.read_only, self.problem = shape, read_only, ""
        self._author = author or user_name()
        self._marker = folder / MARKER_NAME
        from napari_ink.annotation.chunks import Chunks  # Zarr takes its time to import

        planes = folder / PLANES_NAME
        if not planes.exists() and not read_only:
            _make(planes, shape)
        self._chunks = Chunks(planes, shape, read_only)
        self._lock = threading.RLock()
        self._journalling = threading.RLock()
        self._wake, self._idle = threading.Condition(self._lock), threading.Condition(self._lock)
        self._queue: list[tuple[int, Kind, Edit, _Step]] = []
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []
        self._history: list[EditHeader] = []
        self._counts: dict[Plane, Counter[int]] = {plane: Counter() for plane in PLANES}
        self._number = self._written = 0
        self._journal = Journal(folder / JOURNAL_NAME)
        self._recover(journal_bytes)
        self._is_closing = self._is_hurried = False
        self._thread: threading.Thread | None = None
        if self._chunks.is_dirty and not read_only:  # a crash left something to be repaired
            self._start()

    # Reading

    def read(self, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        """Return a part of a plane ``(y, x)``, an array of its own.

        Raises
        ------
        ValueError
            If the part runs backwards or leaves the plane.
        """
        height, width = self._chunks.shape(plane)
        if not (0 <= y[0] <= y[1] <= height and 0 <= x[0] <= x[1] <= width):
            raise ValueError(f"{y}, {x} leaves the {plane} plane of {height} × {width}")
        with self._lock:
            return self._chunks.read(plane, y, x)

    def overview(self, plane: Plane, step: int) -> UInt8Array:
        """Return every `step`-th pixel of a plane; chunks where nothing was drawn are not read."""
        height, width = self._chunks.shape(plane)
        out = np.zeros((-(-height // step), -(-width // step)), np.uint8)
        for row, column in sorted(self.stored(plane)):
            top, left = (-(-place * CHUNK_PX // step) for place in (row, column))
            y, x = (top * step, min((row + 1) * CHUNK_PX, height)), (left * step, min((column + 1) * CHUNK_PX, width))
            if y[0] < y[1] and x[0] < x[1]:
                part = self.read(plane, y, x)[::step, ::step]
                out[top : top + part.shape[0], left : left + part.shape[1]] = part
        return out

    def stored(self, plane: Plane) -> set[tuple[int, int]]:
        """Return row and column of every chunk of a plane in which something may have been drawn."""
        with self._lock:
            return self._chunks.stored(plane)

    def plane_shape(self, plane: Plane) -> tuple[int, int]:
        """Return height and width of a plane: pixels, or regions of the review plane."""
        return self._chunks.shape(plane)

    def count(self, plane: Plane) -> dict[int, int]:
        """Return how many pixels (regions, of the review plane) have which value other than 0."""
        with self._lock:
            return {value: number for value, number in self._counts[plane].items() if value and number}

    def history(self) -> Sequence[EditHeader]:
        """Return who changed what and when, oldest first: every edit ever made, also those too old to undo."""
        with self._lock:
            return tuple(self._history)

    # Editing

    def apply(self, blocks: Sequence[Block], tool: str) -> Edit | None:
        """Change labels, as one step to undo.

        Parameters
        ----------
        blocks
            Plane, y and x where a block begins, and its new values ``(y, x)`` uint8.
        tool
            What it is done with; stands in the history.

        Returns
        -------
        Edit or None
            What changed, cut along the chunks; None if nothing did.

        Raises
        ------
        BadInputError
            If the labels are open for reading only.
        ValueError
            If a block leaves its plane.
        """
        self._refuse_if_read_only()
        with self._lock:
            changes = [change for block in blocks for change in self._changes(*block)]
            if not changes:
                return None
            bounds = tuple(
                (c.plane, c.y, c.y + c.after.shape[0], c.x, c.x + c.after.shape[1]) for c in changes
            )  # fmt: skip
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            header = EditHeader(self._number + 1, tool, self._author, at, bounds)
            step = _Step(header, Edit(header, tuple(changes)))
            self._undo.append(step)
            self._redo.clear()
            self._history.append(header)
            return self._commit("edit", step)

    def undo(self) -> Edit | None:
        """Take the last edit back; returns it, or None if there is none."""
        return self._take("undo", self._undo, self._redo)

    def redo(self) -> Edit | None:
        """Make the edit again that was taken back last; returns it, or None if there is none."""
        return self._take("redo", self._redo, self._undo)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return bool(self._redo)

    @property
    def undo_name(self) -> str:
        """The tool of the edit that undo would take back; empty when there is none."""
        with self._lock:
            return self._undo[-1].header.tool if self._undo else ""

    @property
    def redo_name(self) -> str:
        """The tool of the edit that redo would make again; empty when there is none."""
        with self._lock:
            return self._redo[-1].header.tool if self._redo else ""

    # Keeping

    @property
    def is_saved(self) -> bool:
        """Whether everything is on the disk."""
        with self._lock:
            return self._thread is None or (not self._chunks.is_dirty and self._written == self._number)

    @property
    def journalled(self) -> int:
        """The number of the last change that a crash cannot take away."""
        with self._lock:
            return self._number - len(self._queue)

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until everything is on the disk.

        Raises
        ------
        OutputError
            If it cannot be written, or not within the time.
        """
        with self._lock:
            self._is_hurried = True
            self._wake.notify_all()
            self._idle.wait_for(lambda: self.is_saved or bool(self.problem), seconds)
            self._is_hurried = False
            if not self.is_saved:
                raise OutputError(self.problem or f"The labels were not written within {seconds:.0f} s; try again.")

    def close(self) -> None:
        """Write what is not written yet, and stop; the labels cannot be changed afterwards.

        Raises
        ------
        OutputError
            If something cannot be written; the annotation stays open, so that nothing is lost.
        """
        self.flush()
        with self._lock:
            self._is_closing = self.read_only = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    # Inside

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            raise BadInputError("These labels are open for reading only; close them where they are being edited first.")

    def _changes(self, plane: Plane, y: int, x: int, values: UInt8Array) -> list[Change]:
        height, width = self._chunks.shape(plane)
        if y < 0 or x < 0 or y + values.shape[0] > height or x + values.shape[1] > width:
            raise ValueError(f"a block of {values.shape} at {y}, {x} leaves the {plane} plane of {height} × {width}")
        changes = []
        for top, left, piece in self._chunks.pieces(plane, y, x, values):
            before = self._chunks.read(plane, (top, top + piece.shape[0]), (left, left + piece.shape[1]))
            differs = before != piece
            rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
            if rows.size:
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                where = top + int(rows[0]), left + int(columns[0])
                changes.append(Change(plane, *where, before[part].copy(), piece[part].copy()))
        return changes

    def _take(self, kind: Kind, from_: list[_Step], to: list[_Step]) -> Edit | None:
        self._refuse_if_read_only()
        with self._lock:
            if not from_:
                return None
            step = from_[-1]
            edit = step.edit or self._journal_edit(step)
            from_.pop()
            to.append(step)
            step.edit = edit
            return self._commit(kind, step)

    def _journal_edit(self, step: _Step) -> Edit:
        try:
            return self._journal.read(step.header, step.offset, step.size)
        except OSError as error:
            raise OutputError(f"This step cannot be undone: {error.strerror or error}.") from error

    def _commit(self, kind: Kind, step: _Step) -> Edit:
        edit = step.edit
        assert edit is not None
        self._number += 1
        self._put(kind, edit)
        self._queue.append((self._number, kind, edit, step))
        if _weight(edit) <= _AT_ONCE_BYTES:
            self._journal_at_once()
        if self._thread is None:
            self._start()
        self._wake.notify_all()
        return edit

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

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._keep_written, name="napari-ink annotation", daemon=True)
        self._thread.start()

    def _put(self, kind: Kind, edit: Edit) -> None:
        for change in edit.changes:
            old, new = (change.after, change.before) if kind == "undo" else (change.before, change.after)
            self._chunks.write(change.plane, change.y, change.x, new)
            counts = self._counts[change.plane]
            for values, sign in ((new, 1), (old, -1)):
                found = np.bincount(values.ravel())
                for value in np.flatnonzero(found):
                    counts[int(value)] += sign * int(found[value])

    def _recover(self, journal_bytes: int) -> None:
        """Bring history, counts and chunks to where the journal ends."""
        self._read_marker()
        records = self._read_history()
        last = records[-1].number if records else 0
        if not self.read_only:
            self._journal.cut_torn_end()
            if self._journal.size > journal_bytes and last <= self._written:
                self._journal.drop_oldest(records, journal_bytes // 2)
                records = self._read_history()
        steps = {record.number: record for record in records if record.kind == "edit"}
        for record in (one for one in records if one.number > self._written):
            source = steps[record.of]
            self._put(record.kind, self._journal.read(source.header, source.offset, source.size))
        self._number = max(self._written, last)
        if not self._chunks.is_dirty:
            self._written = self._number

    def _read_history(self) -> list[Record]:
        self._undo, self._redo, self._history = [], [], []
        records = list(self._journal.records())
        for record in records:
            match record.kind:
                case "edit":
                    self._history.append(record.header)
                    self._redo.clear()
                    if record.size:
                        self._undo.append(_Step(record.header, offset=record.offset, size=record.size))
                case "undo":
                    _move(self._undo, self._redo, record.of)
                case "redo":
                    _move(self._redo, self._undo, record.of)
        return records

    def _read_marker(self) -> None:
        if self._marker.exists():
            said = json.loads(self._marker.read_text())
            self._written = said["through"]
            for plane, counts in said["counts"].items():
                self._counts[plane] = Counter({int(value): number for value, number in counts.items()})

    def _keep_written(self) -> None:
        """Write on a thread: the journal at once, the chunks a little later, together."""
        while True:
            with self._lock:
                if not self._queue and not self._chunks.is_dirty:
                    self._idle.notify_all()
                    if self._is_closing:
                        return
                self._wake.wait_for(lambda: bool(self._queue) or self._chunks.is_dirty or self._is_closing)
                if self._is_closing and not self._queue and not self._chunks.is_dirty:
                    return
            self._attempt(self._write_journal)
            if not self.problem:
                with self._lock:
                    self._wake.wait_for(lambda: self._is_hurried or self._is_closing, _WAIT_S)
                self._attempt(self._write_chunks)
            if self.problem:
                with self._lock:
                    self._idle.notify_all()
                    self._wake.wait_for(lambda: self._is_closing, _RETRY_S)

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            reason = error.strerror or str(error)
            self.problem = (
                f"Your labels cannot be saved in {self._marker.parent}: {reason}; free some space or allow writing "
                "there. It is tried again every few seconds, and nothing is lost while this stays open."
            )
        else:
            self.problem = ""

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
            through, chunks = self._number, self._chunks.take_dirty()
            counts = {plane: dict(self._counts[plane]) for plane in PLANES}
        try:
            self._journal.sync()
            for key, chunk in chunks.items():
                self._chunks.store(key, chunk)
            said = {"through": through, "counts": counts}
            write_durably(self._marker, json.dumps(said).encode())
        except OSError:
            with self._lock:
                self._chunks.put_back()
            raise
        with self._lock:
            self._chunks.are_stored()
            self._written = through


def _weight(edit: Edit) -> int:
    return sum(change.after.size for change in edit.changes)


def user_name() -> str:
    """Return the name of who is logged in, as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without names
        return "someone"


def _make(planes: Path, shape: tuple[int, int]) -> None:
    from napari_ink.annotation.chunks import make_planes

    planes.parent.mkdir(parents=True, exist_ok=True)
    partial = planes.with_name(f".{planes.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_planes(partial, shape)
    os.replace(partial, planes)


def _move(from_: list[_Step], to: list[_Step], number: int) -> None:
    if from_ and from_[-1].header.number == number:
        to.append(from_.pop())
