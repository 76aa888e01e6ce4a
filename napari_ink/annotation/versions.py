"""Versions: named snapshots of a project's labels, to compare with and to go back to.

A version is a folder with a Zarr of its own, which any reader opens. Its chunks are hard links to the project's: those
are replaced when labels change and never rewritten, so a version costs almost no room until then.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.annotation.durable import sync_folder, write_durably
from napari_ink.annotation.edits import CHUNK_PX, PLANES, Change, Edit, Plane, UInt8Array
from napari_ink.annotation.project import Project
from napari_ink.annotation.store import PLANES_NAME
from napari_ink.errors import BadInputError, OutputError, ProjectError, storage_errors

if TYPE_CHECKING:
    from napari_ink.annotation.chunks import Chunks

_FOLDER, _FILE = "versions", "version.json"
_LONGEST_NAME = 60  # file names end at 255 bytes, and a letter may take four
_NAME = re.compile(r"\w[\w .,()+-]*")
_WINDOWS_OWN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_TRIES, _WAIT_S = 20, 10.0


@dataclass(frozen=True, slots=True)
class Version:
    """A snapshot of a project's labels.

    Attributes
    ----------
    name
        Its name.
    author, at
        Who saved it, and when (ISO 8601, UTC).
    number
        The number of the last change in it.
    counts
        Of each plane, how many pixels (regions, of the review plane) have which value other than 0.
    """

    name: str
    author: str
    at: str
    number: int
    counts: dict[Plane, dict[int, int]]


def save_version(project: Project, name: str) -> Version:
    """Keep the labels as they are now under a name.

    Raises
    ------
    BadInputError
        If the name is no file name on every system, or the project is open for reading only.
    OutputError
        If there is a version of that name, or it cannot be written.
    """
    name = _checked(name)
    if project.read_only:
        raise BadInputError(f"{project.folder.name} is open for reading only; save versions where it is being edited.")
    folder = project.folder / _FOLDER
    with storage_errors(folder / name):
        folder.mkdir(exist_ok=True)
        # Some systems take `First` and `first` for the same name.
        if name.casefold() in {one.name.casefold() for one in folder.iterdir()}:
            raise OutputError(f"{project.folder.name} has a version {name} already; choose another name.")
        for left_over in folder.glob(".*.partial"):
            shutil.rmtree(left_over)
        partial = folder / f".{os.getpid()}.partial"
        try:
            version = _snapshot(project, name, partial)
            partial.rename(folder / name)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(folder)
    return version


def versions(project: Project) -> list[Version]:
    """Return a project's versions, oldest first; what is damaged is left out."""
    found = [_read(path) for path in (project.folder / _FOLDER).glob(f"[!.]*/{_FILE}")]
    return sorted((version for version in found if version), key=lambda version: (version.at, version.number))


def version_plane(project: Project, name: str, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
    """Return a part of a plane ``(y, x)`` as it was in a version.

    Raises
    ------
    ProjectError
        If there is no such version, or it is damaged.
    ValueError
        If the part runs backwards or leaves the plane.
    """
    chunks = _open(project, name)
    height, width = chunks.shape(plane)
    if not (0 <= y[0] <= y[1] <= height and 0 <= x[0] <= x[1] <= width):
        raise ValueError(f"{y}, {x} leaves the {plane} plane of {height} × {width}")
    with _damage(project, name):
        return chunks.read(plane, y, x)


def difference(project: Project, name: str, plane: Plane) -> Iterator[Change]:
    """Yield the blocks of a plane that changed since a version, one at most a chunk: before is then, after is now.

    Raises
    ------
    ProjectError
        If there is no such version, or it is damaged.
    """
    then = _open(project, name)
    height, width = then.shape(plane)
    for top in range(0, height, CHUNK_PX):
        for left in range(0, width, CHUNK_PX):
            y, x = (top, min(top + CHUNK_PX, height)), (left, min(left + CHUNK_PX, width))
            with _damage(project, name):
                before = then.read(plane, y, x)
            after = project.annotation.read(plane, y, x)
            differs = before != after
            rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
            if rows.size:
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                where = top + int(rows[0]), left + int(columns[0])
                yield Change(plane, *where, before[part].copy(), after[part].copy())


def restore_version(project: Project, name: str) -> Edit | None:
    """Bring all labels back to a version, as one step to undo; returns it, or None if nothing differs.

    Everything that differs is in memory meanwhile. What is drawn at the same time may stay.

    Raises
    ------
    BadInputError
        If the project is open for reading only.
    ProjectError
        If there is no such version, or it is damaged.
    """
    blocks = [(plane, one.y, one.x, one.before) for plane in PLANES for one in difference(project, name, plane)]
    return project.annotation.apply(blocks, f"restore {name}")


def _checked(name: str) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    if not _NAME.fullmatch(name) or _WINDOWS_OWN.fullmatch(name) or name.endswith(".") or len(name) > _LONGEST_NAME:
        raise BadInputError(
            f"{name!r} cannot name a version; begin with a letter or digit, go on with these, spaces and .,-_+(), "
            f"and take {_LONGEST_NAME} at most."
        )
    return name


def _snapshot(project: Project, name: str, folder: Path) -> Version:
    annotation = project.annotation
    for _ in range(_TRIES):
        annotation.flush(_WAIT_S)
        # Nothing is locked, so that drawing goes on: what was linked is whole if nothing changed before the end.
        number, is_settled = annotation.journalled, annotation.is_saved
        counts = {plane: annotation.count(plane) for plane in PLANES}
        if is_settled:
            _link_tree(project.folder / PLANES_NAME, folder / PLANES_NAME)
            if annotation.is_saved and annotation.journalled == number:
                break
            shutil.rmtree(folder)
    else:
        raise OutputError(f"The labels changed all the time while {name} was saved; try again when nobody draws.")
    version = Version(name, project.author, datetime.now(UTC).isoformat(timespec="milliseconds"), number, counts)
    said = {"author": version.author, "at": version.at, "number": number, "counts": counts}
    write_durably(folder / _FILE, json.dumps(said).encode())
    return version


def _link_tree(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for entry in os.scandir(source):
        if entry.name.endswith(".partial"):  # being written by somebody else, or left over from a crash
            continue
        if entry.is_dir(follow_symlinks=False):
            _link_tree(Path(entry), target / entry.name)
        else:
            _link(Path(entry), target / entry.name)
    sync_folder(target)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:  # erased just now: whoever called sees that the labels changed
        return
    except OSError:  # a file system without links
        write_durably(target, source.read_bytes())


def _read(path: Path) -> Version | None:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        counts = {plane: {int(value): int(n) for value, n in said["counts"][plane].items()} for plane in PLANES}
        return Version(path.parent.name, str(said["author"]), str(said["at"]), int(said["number"]), counts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _open(project: Project, name: str) -> Chunks:
    from napari_ink.annotation.chunks import Chunks  # Zarr takes its time to import

    known = [version.name for version in versions(project)]
    if name not in known:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise ProjectError(f"{project.folder.name} has no version {name!r}; {has}.")
    with _damage(project, name):
        return Chunks(project.folder / _FOLDER / name / PLANES_NAME, project.annotation.shape, read_only=True)


@contextmanager
def _damage(project: Project, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        place = project.folder / _FOLDER / name
        raise ProjectError(f"The version {place} cannot be read ({error}); bring it back from a backup.") from error
