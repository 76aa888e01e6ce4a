"""The annotation store: label planes that survive a crash, with their complete history.

When `apply` returns, an edit is in memory, and on its way to the journal, which it reaches some milliseconds later on a
thread; another thread brings it to the chunks within a second. So no edit waits for the disk. A crash costs at most the
edits of the last `journal_writer.BUDGET_S`: the journal has all others, and opening brings the chunks in line with it.
This is write-ahead logging (Mohan et al., "ARIES", 1992), simplified: values before and after are stored completely,
so that replaying twice is harmless.
"""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from napari_ink.annotation.store.edits import CHUNK_PX, Block, Edit, EditHeader, Plane
from napari_ink.annotation.store.history import History, Step
from napari_ink.annotation.store.journal import Journal, Kind
from napari_ink.annotation.store.recovery import chunk_from_journal, recover
from napari_ink.annotation.store.writer import Writer
from napari_ink.errors import BadInputError, OutputError
from napari_ink.typing import UInt8Array

_JOURNAL_BYTES = 256 * 2**20
StepKind = Literal["undo", "redo"]
PLANES_NAME, JOURNAL_NAME, MARKER_NAME = "annotation.zarr", "journal.bin", "written.json"


class Annotation:
    """Labels of one segment on disk, and their history.

    All methods are thread-safe. At most one `Annotation` may write to a folder at a time.

    Parameters
    ----------
    folder
        Folder of the project; empty labels are created there if it has none.
    shape
        The segment's height and width in pixels.
    author
        Name of the person who edits; None for the user's name.
    read_only
        Whether nothing is written, not even repairs after a crash.
    journal_bytes
        Above this size the journal drops the values of its oldest edits when it is opened.

    Attributes
    ----------
    shape : tuple of int
        The segment's height and width in pixels.
    read_only : bool
        Whether the labels are open for reading only, or closed.
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
        self._process = os.getpid()
        self._author = author or user_name()
        self._marker = folder / MARKER_NAME
        from napari_ink.annotation.store.planes import Planes  # importing Zarr is slow

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
        """Return a part of a plane ``(y, x)`` as a new uint8 array.

        Raises
        ------
        ProjectError
            If the part can neither be read from disk nor be restored from the journal.
        ValueError
            If the ranges are reversed or exceed the plane.
        """
        height, width = self._chunks.shape(plane)
        if not (0 <= y[0] <= y[1] <= height and 0 <= x[0] <= x[1] <= width):
            raise ValueError(f"{y}, {x} leaves the {plane} plane of {height} × {width}")
        with self._lock:
            values = self._chunks.read(plane, y, x)
            if self._chunks.is_dirty and not self.read_only:  # a damaged chunk may have been restored
                self._writer.wake()
            return values

    def review_states(self) -> UInt8Array:
        """Return the state of each region, ``(row, column)`` uint8, as `ReviewState`.

        Raises
        ------
        ProjectError
            If they can neither be read from disk nor be restored from the journal.
        """
        rows, columns = self.plane_shape("review")
        return self.read("review", (0, rows), (0, columns))

    def overview(self, plane: Plane, step: int) -> UInt8Array:
        """Return every `step`-th pixel of a plane ``(y, x)``; chunks without labels are not read."""
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
        """Return row and column of every chunk of a plane that may have labels."""
        with self._lock:
            return self._chunks.stored(plane)

    def plane_shape(self, plane: Plane) -> tuple[int, int]:
        """Return the height and width of a plane, in pixels, or in regions for the review plane."""
        return self._chunks.shape(plane)

    def count(self, plane: Plane) -> dict[int, int]:
        """Return the number of pixels of each value other than 0 (of regions for the review plane)."""
        with self._lock:
            return self._planes.count(plane)

    def history(self) -> Sequence[EditHeader]:
        """Return the headers of all edits, oldest first, including those too old to undo."""
        with self._lock:
            return tuple(self._history.headers)

    def applied_edits(self, tool: str) -> Iterator[Edit]:
        """Yield the edits of a tool that were not undone, oldest first; those too old to be undone are left out.

        Raises
        ------
        OutputError
            If an edit cannot be read from the journal.
        """
        with self._lock:
            steps = [step for step in self._history.undo if step.header.tool == tool]
        for step in steps:
            yield step.edit or self._journal_edit(step)

    # Editing

    def apply(self, blocks: Sequence[Block], tool: str) -> Edit | None:
        """Change labels as one undoable step.

        Parameters
        ----------
        blocks
            For each block its plane, first row and column, and new values ``(y, x)`` uint8.
        tool
            Name of the tool, for the history.

        Returns
        -------
        Edit or None
            The changes, split by chunk; None if nothing changed.

        Raises
        ------
        BadInputError
            If the labels are open for reading only.
        OutputError
            If too many changes wait to be written.
        ValueError
            If a block exceeds its plane.
        """
        self._refuse_if_read_only()
        with self._lock:
            self._writer.wait_for_room()
            changes = [change for block in blocks for change in self._planes.changes(block)]
            if not changes:
                return None
            bounds = tuple((c.plane, c.y, c.y + c.after.shape[0], c.x, c.x + c.after.shape[1]) for c in changes)
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            header = EditHeader(self._writer.number + 1, tool, self._author, at, bounds)
            step = Step(header, Edit(header, tuple(changes)))
            self._history.add(step)
            return self._commit("edit", step)

    def undo(self) -> Edit | None:
        """Undo the last edit and return it; None if there is none."""
        return self._take("undo", self._history.undo, self._history.redo)

    def redo(self) -> Edit | None:
        """Redo the edit that was undone last and return it; None if there is none."""
        return self._take("redo", self._history.redo, self._history.undo)

    def is_in_memory(self, kind: StepKind) -> bool:
        """Whether `undo` or `redo` can be called without waiting for the values of its step to be read."""
        with self._lock:
            steps = self._steps(kind)
            return not steps or steps[-1].edit is not None

    def prepare(self, kind: StepKind) -> None:
        """Read the values of the step that `undo` or `redo` would take, without holding up other calls meanwhile.

        Raises
        ------
        OutputError
            If the step cannot be read from the journal.
        """
        with self._lock:
            steps = self._steps(kind)
            step = steps[-1] if steps else None
            if step is None or step.edit is not None:
                return
        edit = self._journal_edit(step)  # without the lock, since a large step takes long
        with self._lock:
            step.edit = step.edit or edit

    def next_number(self, kind: StepKind) -> int:
        """Return the number of the edit that `undo` or `redo` would take; 0 if there is none."""
        with self._lock:
            steps = self._steps(kind)
            return steps[-1].header.number if steps else 0

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._history.undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to redo."""
        return bool(self._history.redo)

    @property
    def undo_name(self) -> str:
        """Tool of the edit that `undo` would undo; empty if there is none."""
        with self._lock:
            return self._history.undo[-1].header.tool if self._history.undo else ""

    @property
    def redo_name(self) -> str:
        """Tool of the edit that `redo` would redo; empty if there is none."""
        with self._lock:
            return self._history.redo[-1].header.tool if self._history.redo else ""

    # Saving

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about damage found on opening and since, and its repair."""
        return (*self._warnings, *self._chunks.warnings, *self._planes.strange_in_chunks())

    @property
    def is_saved(self) -> bool:
        """Whether all changes are on disk."""
        return self._writer.is_saved

    @property
    def problem(self) -> str:
        """Sentence about why labels are not written, and what to do; empty if there is no problem."""
        return self._writer.problem

    @property
    def journalled(self) -> int:
        """Number of the last change that is in the journal, safe from a crash."""
        return self._writer.journalled

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until all changes are on disk.

        Raises
        ------
        OutputError
            If they cannot be written, or not within `seconds`.
        """
        self._writer.flush(seconds)

    def close(self) -> None:
        """Write pending changes to disk and stop; the labels cannot be changed afterwards.

        Raises
        ------
        OutputError
            If changes cannot be written; the annotation stays open, so that nothing is lost.
        """
        self.flush()
        was_read_only, self.read_only = self.read_only, True
        try:
            self.flush()  # what another thread changed meanwhile
        except OutputError:
            self.read_only = was_read_only
            raise
        self._writer.stop()

    # Inside

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            raise BadInputError("These labels are open for reading only; close them where they are being edited first.")
        if os.getpid() != self._process:  # two processes would write over each other's records
            raise BadInputError(
                "These labels were opened by the process that this one was forked from; edit them there."
            )

    def _steps(self, kind: StepKind) -> list[Step]:
        return self._history.undo if kind == "undo" else self._history.redo

    def _take(self, kind: Kind, from_: list[Step], to: list[Step]) -> Edit | None:
        self._refuse_if_read_only()
        with self._lock:
            self._writer.wait_for_room()
            if not from_:
                return None
            step = from_[-1]
            # Read first: if the journal cannot be read, the step stays where it is.
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
        """Bring history, counts and chunks to the journal's last change."""
        found = recover(self._planes, self._journal, self._marker, self.read_only, journal_bytes)
        self._history, self._warnings = found.history, found.warnings
        self._writer.number = found.number
        if self._chunks.is_dirty:
            return  # the writer writes the chunks, and then the marker
        self._writer.written = found.number
        if found.is_mended and not self.read_only:
            self._writer.mark()


def user_name() -> str:
    """Return the user's login name; "someone" if the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without user names
        return "someone"
