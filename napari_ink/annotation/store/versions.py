"""Versions: named copies of the labels, to compare with and to restore."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ink.annotation.store.edits import CHUNK_PX, PLANES, Block, Edit, Plane
from napari_ink.annotation.store.store import PLANES_NAME, Annotation
from napari_ink.decoding import read_bounded
from napari_ink.durable import make_folder, new_folder
from napari_ink.errors import BadInputError, OutputError, ProjectError, storage_errors
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation.store.chunks import Chunks

_NAME = re.compile(r"[\w][\w .()+-]{0,63}", re.UNICODE)
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}
_ATTEMPTS = 5
_MOST_DATE_BYTES = 100


class Versions:
    """The named versions of one project's labels.

    A version is a copy of the chunks. On the same disk it consists of hard links, which take no space until a chunk
    changes: the store replaces chunks and never overwrites them.

    Parameters
    ----------
    folder
        Folder of the project.
    annotation
        Labels of the project.
    """

    def __init__(self, folder: Path, annotation: Annotation) -> None:
        self._planes, self._folder, self._annotation = folder / PLANES_NAME, folder / "versions", annotation

    def names(self) -> list[str]:
        """Return the names of all versions, oldest first."""
        if not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return [path.name for path in sorted(found, key=lambda path: (_made(path), path.name))]

    def save(self, name: str) -> None:
        """Save the current labels under a name; when this returns, the version is on the disk.

        Raises
        ------
        BadInputError
            If the name is taken or cannot name a folder, or the labels are open for reading only.
        OutputError
            If the version cannot be written, or the labels keep changing.
        """
        if self._annotation.read_only:
            raise BadInputError(
                "These labels are open for reading only; a version is saved where they are being edited."
            )
        if not _NAME.fullmatch(name) or name.endswith((" ", ".")) or name.split(".")[0].upper() in _RESERVED:
            raise BadInputError(f"“{name}” cannot name a version; use up to 64 letters, figures, spaces and .()+-.")
        if name.casefold() in (one.casefold() for one in self.names()):  # some file systems ignore case
            raise BadInputError(f"There is a version “{name}” already; choose another name.")
        final = self._folder / name
        with storage_errors(final):
            self._remove_what_a_crash_left()
            with new_folder(final) as partial:
                self._copy_one_moment(partial, final)
                (partial / "made").write_text(datetime.now(UTC).isoformat())

    def plane(self, name: str, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        """Return a part of a plane ``(y, x)`` of a version.

        Raises
        ------
        BadInputError
            If there is no version of that name.
        """
        return self._open(name).read(plane, y, x)

    def differences(self, name: str, plane: Plane) -> Iterator[tuple[int, int, UInt8Array, UInt8Array]]:
        """Yield the chunks that differ between a version and now: first row, first column, values then and now.

        Raises
        ------
        BadInputError
            If there is no version of that name.
        """
        then = self._open(name)
        height, width = self._annotation.plane_shape(plane)
        for row, column in sorted(then.stored(plane) | self._annotation.stored(plane)):
            y, x = row * CHUNK_PX, column * CHUNK_PX
            sides = (y, min(y + CHUNK_PX, height)), (x, min(x + CHUNK_PX, width))
            before, now = then.read(plane, *sides), self._annotation.read(plane, *sides)
            if not np.array_equal(before, now):
                yield y, x, before, now

    def restore(self, name: str) -> Edit | None:
        """Restore a version as one undoable step and return it; None if nothing differs.

        Raises
        ------
        BadInputError
            If there is no version of that name.
        """
        blocks: list[Block] = [
            (plane, y, x, before) for plane in PLANES for y, x, before, _ in self.differences(name, plane)
        ]
        return self._annotation.apply(blocks, f"restore {name}")

    def _remove_what_a_crash_left(self) -> None:
        make_folder(self._folder)
        for left in self._folder.glob(".*.partial"):
            shutil.rmtree(left, ignore_errors=True)

    def _copy_one_moment(self, partial: Path, final: Path) -> None:
        for _ in range(_ATTEMPTS):
            self._annotation.flush()
            began = self._annotation.journalled
            if not self._annotation.is_saved:  # changed just now, and its chunks may be written while they are copied
                continue
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(self._planes, partial / PLANES_NAME, copy_function=_link, ignore=_leave_out_partial)
            # A change is in the journal before its chunk is written: without a new record, no chunk changed meanwhile.
            if self._annotation.journalled == began:
                return
        raise OutputError(f"{final} was not saved: the labels changed all the time; try again when nobody draws.")

    def _open(self, name: str) -> Chunks:
        from napari_ink.annotation.store.chunks import Chunks

        planes = self._folder / name / PLANES_NAME
        if name not in self.names() or not planes.is_dir():
            raise BadInputError(f"There is no version “{name}”; there are: {', '.join(self.names()) or 'none'}.")
        return Chunks(planes, self._annotation.shape, read_only=True)


def _link(source: str, target: str) -> None:
    # A copy if the file system does not support or allow hard links.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _leave_out_partial(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".partial")]


def _made(path: Path) -> str:
    """Return the time at which a version was made; empty if it cannot be read."""
    try:
        return read_bounded(path / "made", ProjectError, _MOST_DATE_BYTES).decode(errors="replace")
    except ProjectError:
        return ""
