"""The label planes: what an edit would change, what it changes, and how many pixels carry which value."""

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
    """The planes of one segment, and their counts.

    Not safe for several threads by itself: its owner holds a lock around every call.

    Parameters
    ----------
    folder
        The Zarr; it is made if it is not there.
    shape
        The segment's height and width in pixels.
    read_only
        Whether nothing is ever written.

    Attributes
    ----------
    folder : Path
        As given.
    chunks : Chunks
        Where the values are.
    is_new : bool
        Whether the Zarr was not there, and was made empty.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], read_only: bool = False) -> None:
        self.folder, self.is_new = folder, not os.path.lexists(folder) and not read_only
        if self.is_new:
            make_planes(folder, shape)
        self.chunks = Chunks(folder, shape, read_only)
        self._counts: dict[Plane, Counter[int]] = {plane: Counter() for plane in PLANES}

    def count(self, plane: Plane) -> dict[int, int]:
        """Return how many pixels of a plane have which value that means something."""
        return {
            value: self._counts[plane][value]
            for value in range(1, LARGEST_VALUE[plane] + 1)
            if self._counts[plane][value]
        }

    def counts(self) -> dict[Plane, dict[int, int]]:
        """Return what is known of all values, to be kept beside the chunks."""
        return {plane: dict(self._counts[plane]) for plane in PLANES}

    def take_counts(self, counts: Mapping[Plane, Mapping[int, int]]) -> None:
        """Take what was kept beside the chunks."""
        self._counts = {plane: Counter(counts.get(plane, {})) for plane in PLANES}

    def recount(self) -> None:
        """Count the values anew, chunk by chunk; one that cannot be read counts as empty until it is read."""
        for plane in PLANES:
            self._counts[plane] = Counter()
            for row, column in self.chunks.stored(plane):
                with suppress(ProjectError):
                    histogram = self.chunks.histogram((plane, row, column))
                    self._counts[plane].update(dict(enumerate(histogram.tolist())))

    def holds(self, header: EditHeader) -> bool:
        """Whether all blocks of an edit lie within these planes."""
        sizes = {plane: self.chunks.shape(plane) for plane in PLANES}
        return all(y1 <= sizes[plane][0] and x1 <= sizes[plane][1] for plane, _, y1, _, x1 in header.bounds)

    def strange_values(self) -> list[str]:
        """Say which planes hold values that mean nothing, by their counts."""
        return [self._strange_in_words(plane, found) for plane in PLANES if (found := self._strange_counts(plane))]

    def strange_in_chunks(self) -> list[str]:
        """Say which planes held more such values when chunks were read."""
        more = {
            plane: {value for of, value in self.chunks.strange if of == plane} - self._strange_counts(plane)
            for plane in PLANES
        }
        return [self._strange_in_words(plane, found) for plane, found in more.items() if found]

    def _strange_counts(self, plane: Plane) -> set[int]:
        return {value for value, number in self._counts[plane].items() if value > LARGEST_VALUE[plane] and number > 0}

    def _strange_in_words(self, plane: Plane, values: set[int]) -> str:
        return (
            f"The {plane} labels in {self.folder} hold unknown values ({', '.join(map(str, sorted(values)))}): "
            "they are read as unreviewed."
        )

    def changes(self, block: Block) -> list[Change]:
        """Return what a block would change, cut along the chunks.

        Raises
        ------
        BadInputError
            If it holds a value that means nothing on that plane.
        ValueError
            If it leaves its plane.
        """
        plane, y, x, values = block
        height, width = self.chunks.shape(plane)
        if values.size and int(values.max()) > LARGEST_VALUE[plane]:
            raise BadInputError(
                f"{int(values.max())} is no value of {plane} labels, which are 0 to {LARGEST_VALUE[plane]}; "
                "draw with one of those."
            )
        if y < 0 or x < 0 or y + values.shape[0] > height or x + values.shape[1] > width:
            raise ValueError(f"a block of {values.shape} at {y}, {x} leaves the {plane} plane of {height} × {width}")
        changes = []
        for top, left, piece in self.chunks.pieces(plane, y, x, values):
            before = self.chunks.read(plane, (top, top + piece.shape[0]), (left, left + piece.shape[1]))
            differs = before != piece
            rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
            if rows.size:
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                where = top + int(rows[0]), left + int(columns[0])
                changes.append(Change(plane, *where, before[part].copy(), piece[part].copy()))
        return changes

    def put(self, kind: Kind, edit: Edit) -> None:
        """Make an edit, or make it again, or take it back."""
        for change in edit.changes:
            before, after = (known_values(change.plane, one) for one in (change.before, change.after))
            old, new = (after, before) if kind == "undo" else (before, after)
            self.chunks.write(change.plane, change.y, change.x, new)
            counts = self._counts[change.plane]
            for values, sign in ((new, 1), (old, -1)):
                found = np.bincount(values.ravel())
                for value in np.flatnonzero(found):
                    counts[int(value)] += sign * int(found[value])
