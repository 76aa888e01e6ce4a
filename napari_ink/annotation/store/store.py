"""The annotation store: label planes that survive a crash, with everything that was ever done to them.

An edit is in memory when `apply` returns, in the journal a moment later, and in the chunks within a second, all in the
background. What a crash can cost is the edit in hand: the journal has the others, and opening makes the chunks agree
with it. How: write-ahead logging, as databases do it (Mohan et al. 1992, simplified: values before and after are
stored whole, so replaying twice does no harm).
"""

from __future__ import annotations

import getpass
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from napari_ink.annotation.store.edits import CHUNK_PX, Block, Edit, EditHeader, Plane
from napari_ink.annotation.store.history import History, Step
from napari_ink.annotation.store.journal import Journal, Kind
from napari_ink.annotation.store.recovery import chunk_from_journal, recover
from napari_ink.annotation.store.writer import Writer
from napari_ink.errors import BadInputError, OutputError
from napari_ink.typing import UInt8Array

_JOURNAL_BYTES = 256 * 2**20
PLANES_NAME, JOURNAL_NAME, MARKER_NAME = "annotation.zarr", "journal.bin", "written.json"


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
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, int],
        author: str | None = None,
        read_only: bool = False,
        journal_bytes: int = _JOURNAL_BYTES,
    ) -> None:
        self.shape, self.read_only = shape, read_only
        self._author = author or user_name()
        self._marker = folder / MARKER_NAME
        from napari_ink.annotation.store.planes import Planes  # Zarr takes its time to import

        self._planes = Planes(folder / PLANES_NAME, shape, read_only)
        self._chunks = self._planes.chunks
        self._lock = threading.RLock()
        self._history = History()
        self._warnings: tuple[str, ...] = ()
        self._journal = Journal(folder / JOURNAL_NAME)
        self._writer = Writer(self._lock, self._journal, self._chunks, self._marker, self._planes.counts)
        self._chunks.rebuild = self._rebuild
        self._recover(journal_bytes)
        if self._chunks.is_dirty and not read_only:  # a crash left something to be repaired
            self._writer.start()

    # Reading

    def read(self, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        """Return a part of a plane ``(y, x)``, an array of its own.

        Raises
        ------
        ProjectError
            If it cannot be read from the disk, nor made again from the journal.
        ValueError
            If the part runs backwards or leaves the plane.
        """
        height, width = self._chunks.shape(plane)
        if not (0 <= y[0] <= y[1] <= height and 0 <= x[0] <= x[1] <= width):
            raise ValueError(f"{y}, {x} leaves the {plane} plane of {height} × {width}")
        with self._lock:
            values = self._chunks.read(plane, y, x)
            if self._chunks.is_dirty and not self.read_only:  # a damaged chunk may have been made again
                self._writer.wake()
            return values

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
            return self._planes.count(plane)

    def history(self) -> Sequence[EditHeader]:
        """Return who changed what and when, oldest first: every edit ever made, also those too old to undo."""
        with self._lock:
            return tuple(self._history.headers)

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
            changes = [change for block in blocks for change in self._planes.changes(block)]
            if not changes:
                return None
            bounds = tuple(
                (c.plane, c.y, c.y + c.after.shape[0], c.x, c.x + c.after.shape[1]) for c in changes
            )  # fmt: skip
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            header = EditHeader(self._writer.number + 1, tool, self._author, at, bounds)
            step = Step(header, Edit(header, tuple(changes)))
            self._history.add(step)
            return self._commit("edit", step)

    def undo(self) -> Edit | None:
        """Take the last edit back; returns it, or None if there is none."""
        return self._take("undo", self._history.undo, self._history.redo)

    def redo(self) -> Edit | None:
        """Make the edit again that was taken back last; returns it, or None if there is none."""
        return self._take("redo", self._history.redo, self._history.undo)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._history.undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return bool(self._history.redo)

    @property
    def undo_name(self) -> str:
        """The tool of the edit that undo would take back; empty when there is none."""
        with self._lock:
            return self._history.undo[-1].header.tool if self._history.undo else ""

    @property
    def redo_name(self) -> str:
        """The tool of the edit that redo would make again; empty when there is none."""
        with self._lock:
            return self._history.redo[-1].header.tool if self._history.redo else ""

    # Keeping

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found damaged on opening and since, and what came of it, in sentences."""
        return (*self._warnings, *self._chunks.warnings, *self._planes.strange_in_chunks())

    @property
    def is_saved(self) -> bool:
        """Whether everything is on the disk."""
        return self._writer.is_saved

    @property
    def problem(self) -> str:
        """What keeps the labels from being written, and what to do; empty when nothing does."""
        return self._writer.problem

    @property
    def journalled(self) -> int:
        """The number of the last change that a crash cannot take away."""
        return self._writer.journalled

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until everything is on the disk.

        Raises
        ------
        OutputError
            If it cannot be written, or not within the time.
        """
        self._writer.flush(seconds)

    def close(self) -> None:
        """Write what is not written yet, and stop; the labels cannot be changed afterwards.

        Raises
        ------
        OutputError
            If something cannot be written; the annotation stays open, so that nothing is lost.
        """
        self.flush()
        with self._lock:
            self.read_only = True
        self._writer.stop()

    # Inside

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            raise BadInputError("These labels are open for reading only; close them where they are being edited first.")

    def _take(self, kind: Kind, from_: list[Step], to: list[Step]) -> Edit | None:
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

    def _journal_edit(self, step: Step) -> Edit:
        try:
            return self._journal.read(step.header, step.offset, step.size)
        except OSError as error:
            raise OutputError(f"This step cannot be undone: {error.strerror or error}.") from error

    def _commit(self, kind: Kind, step: Step) -> Edit:
        edit = step.edit
        assert edit is not None
        self._planes.put(kind, edit)
        self._writer.submit(kind, edit, step)
        return edit

    def _rebuild(self, key: tuple[Plane, int, int]) -> UInt8Array | None:
        return chunk_from_journal(self._planes, self._journal.path, self._marker, *key)

    def _recover(self, journal_bytes: int) -> None:
        """Bring history, counts and chunks to where the journal ends."""
        found = recover(self._planes, self._journal, self._marker, self.read_only, journal_bytes)
        self._history, self._warnings = found.history, found.warnings
        self._writer.number = found.number
        if self._chunks.is_dirty:
            return  # the writer brings the chunks to the disk, and the marker after them
        self._writer.written = found.number
        if found.is_mended and not self.read_only:
            self._writer.mark()


def user_name() -> str:
    """Return the name of who is logged in, as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without names
        return "someone"
