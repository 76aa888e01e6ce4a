"""The label planes: what an edit would change, what it changes, and how many pixels carry which value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_ink.annotation.chunks import Chunks, make_planes
from napari_ink.annotation.edits import PLANES, Block, Change, Edit, Plane
from napari_ink.annotation.journal import Kind


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
    chunks : Chunks
        Where the values are.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], read_only: bool = False) -> None:
        if not folder.exists() and not read_only:
            make_planes(folder, shape)
        self.chunks = Chunks(folder, shape, read_only)
        self._counts: dict[Plane, Counter[int]] = {plane: Counter() for plane in PLANES}

    def count(self, plane: Plane) -> dict[int, int]:
        """Return how many pixels of a plane have which value other than 0."""
        return {value: number for value, number in self._counts[plane].items() if value and number}

    def counts(self) -> dict[Plane, dict[int, int]]:
        """Return what is known of all values, to be kept beside the chunks."""
        return {plane: dict(self._counts[plane]) for plane in PLANES}

    def take_counts(self, counts: Mapping[Plane, Mapping[str, int]]) -> None:
        """Take what was kept beside the chunks, read from JSON."""
        for plane, numbers in counts.items():
            self._counts[plane] = Counter({int(value): number for value, number in numbers.items()})

    def changes(self, block: Block) -> list[Change]:
        """Return what a block would change, cut along the chunks.

        Raises
        ------
        ValueError
            If it leaves its plane.
        """
        plane, y, x, values = block
        height, width = self.chunks.shape(plane)
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
            old, new = (change.after, change.before) if kind == "undo" else (change.before, change.after)
            self.chunks.write(change.plane, change.y, change.x, new)
            counts = self._counts[change.plane]
            for values, sign in ((new, 1), (old, -1)):
                found = np.bincount(values.ravel())
                for value in np.flatnonzero(found):
                    counts[int(value)] += sign * int(found[value])
