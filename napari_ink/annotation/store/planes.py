"""The label planes of a segment: computing and applying changes, and counting pixels by value."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from napari_ink.annotation.store.chunks import Chunks, make_planes
from napari_ink.annotation.store.edits import (
    LARGEST_VALUE,
    PLANES,
    Block,
    Change,
    Edit,
    EditHeader,
    Plane,
    known_values,
)
from napari_ink.annotation.store.journal_scan import Kind
from napari_ink.errors import BadInputError, ProjectError


class Planes:
    """The planes of one segment, and the number of pixels of each value.

    Not thread-safe: the owner holds a lock around every call.

    Parameters
    ----------
    folder
        Folder of the Zarr store; created if missing.
    shape
        The segment's height and width in pixels.
    read_only
        Whether the planes are open for reading only.

    Attributes
    ----------
    folder : Path
        Folder of the Zarr store.
    chunks : Chunks
        Chunks that hold the values.
    is_new : bool
        Whether the Zarr store was missing and was created empty.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], read_only: bool = False) -> None:
        self.folder, self.is_new = folder, not os.path.lexists(folder) and not read_only
        if self.is_new:
            make_planes(folder, shape)
        self.chunks = Chunks(folder, shape, read_only)
        self._counts: dict[Plane, Counter[int]] = {plane: Counter() for plane in PLANES}

    def count(self, plane: Plane) -> dict[int, int]:
        """Return the number of pixels of each known value other than 0 on a plane."""
        return {
            value: self._counts[plane][value]
            for value in range(1, LARGEST_VALUE[plane] + 1)
            if self._counts[plane][value]
        }

    def counts(self) -> dict[Plane, dict[int, int]]:
        """Return the counts of all values, for the marker."""
        return {plane: dict(self._counts[plane]) for plane in PLANES}

    def take_counts(self, counts: Mapping[Plane, Mapping[int, int]]) -> None:
        """Set the counts from the marker."""
        self._counts = {plane: Counter(counts.get(plane, {})) for plane in PLANES}

    def recount(self) -> None:
        """Count the values again, chunk by chunk; a chunk that cannot be read counts as empty."""
        for plane in PLANES:
            self._counts[plane] = Counter()
            for row, column in self.chunks.stored(plane):
                with suppress(ProjectError):
                    histogram = self.chunks.histogram((plane, row, column))
                    self._counts[plane].update(dict(enumerate(histogram.tolist())))

    def holds(self, header: EditHeader) -> bool:
        """Return whether all blocks of an edit lie within these planes."""
        sizes = {plane: self.chunks.shape(plane) for plane in PLANES}
        return all(y1 <= sizes[plane][0] and x1 <= sizes[plane][1] for plane, _, y1, _, x1 in header.bounds)

    def strange_values(self) -> list[str]:
        """Return sentences about planes with unknown values, according to the counts."""
        return [self._strange_in_words(plane, found) for plane in PLANES if (found := self._strange_counts(plane))]

    def strange_in_chunks(self) -> list[str]:
        """Return sentences about further unknown values that were found when chunks were read."""
        more = {
            plane: {value for of, value in self.chunks.strange if of == plane} - self._strange_counts(plane)
            for plane in PLANES
        }
        return [self._strange_in_words(plane, found) for plane, found in more.items() if found]

    def _strange_counts(self, plane: Plane) -> set[int]:
        return {value for value, number in self._counts[plane].items() if value > LARGEST_VALUE[plane] and number > 0}

    def _strange_in_words(self, plane: Plane, values: set[int]) -> str:
        return (
            f"The {plane} labels in {self.folder} contain unknown values ({', '.join(map(str, sorted(values)))}), "
            "which are read as unreviewed."
        )

    def changes(self, block: Block) -> list[Change]:
        """Return the changes that a block would make, one for each chunk that it changes.

        Raises
        ------
        BadInputError
            If the block holds a value that its plane does not have.
        ValueError
            If the block exceeds its plane.
        """
        plane, y, x, values = block
        height, width = self.chunks.shape(plane)
        if values.size and int(values.max()) > LARGEST_VALUE[plane]:
            raise BadInputError(
                f"{int(values.max())} is not a value of {plane} labels; use 0 to {LARGEST_VALUE[plane]}."
            )
        if y < 0 or x < 0 or y + values.shape[0] > height or x + values.shape[1] > width:
            raise ValueError(f"a block of {values.shape} at {y}, {x} leaves the {plane} plane of {height} × {width}")
        changes = []
        for top, left, piece in self.chunks.pieces(plane, y, x, values):
            before = self.chunks.read(plane, (top, top + piece.shape[0]), (left, left + piece.shape[1]))
            differs = before != piece
            # Only the bounding box of what differs is stored: a stroke's window is mostly unchanged.
            rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
            if rows.size:
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                where = top + int(rows[0]), left + int(columns[0])
                changes.append(Change(plane, *where, before[part].copy(), piece[part].copy()))
        return changes

    def put(self, kind: Kind, edit: Edit) -> None:
        """Apply an edit: make it, undo it or redo it."""
        for change in edit.changes:
            # A journal of another version may hold values that this one does not know.
            before, after = (known_values(change.plane, one) for one in (change.before, change.after))
            old, new = (after, before) if kind == "undo" else (before, after)
            self.chunks.write(change.plane, change.y, change.x, new)
            counts = self._counts[change.plane]
            for values, sign in ((new, 1), (old, -1)):
                found = np.bincount(values.ravel())
                for value in np.flatnonzero(found):
                    counts[int(value)] += sign * int(found[value])
