"""A project: the folder that holds all the work on one segment, and finds its stack again wherever both moved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from napari_ink.annotation.fingerprint import differences, fingerprint
from napari_ink.annotation.review.notes import Notes
from napari_ink.annotation.store.lock import ProjectLock
from napari_ink.annotation.store.store import Annotation, user_name
from napari_ink.annotation.store.versions import Versions
from napari_ink.decoding import decoder_errors, parse_json, read_bounded
from napari_ink.durable import write_bytes
from napari_ink.errors import BadInputError, NapariInkError, ProjectError, StackMovedError, storage_errors
from napari_ink.stack import LAYER_FOLDERS, DepthStack, is_address, open_stack

SUFFIX = ".ink"
_FILE, _VIEW, _VERSION = "project.json", "view.json", 1


class Project:
    """The work on one segment: its stack, its labels, and how it was looked at last.

    Made by `create_project` or `open_project`. Plain files: ``project.json``, ``view.json``, the labels, predictions.

    Attributes
    ----------
    folder : Path
        ``<segment>.ink``.
    stack : DepthStack
        The stack that the labels belong to.
    author : str
        Who is editing.
    annotation : Annotation
        The labels.
    versions : Versions
        The labels as they were at moments that were given a name.
    notes : Notes
        What was written about places.
    view : dict
        What `save_view` was last given; empty at first.
    holder : str
        Who has the project open elsewhere, so that it is open here for reading only; empty otherwise.
    """

    def __init__(self, folder: Path, stack: DepthStack, author: str, look_only: bool = False) -> None:
        self.folder, self.stack, self.author = folder, stack, author
        self._lock = None if look_only else ProjectLock(folder, author)
        self.holder = "nobody, but it was opened to be looked at" if self._lock is None else self._lock.holder
        try:
            self.annotation = Annotation(folder, stack.shape[1:], author, self.read_only)
        except BaseException:
            self._release()
            raise
        self.versions = Versions(folder, self.annotation)
        self.notes = Notes(folder / "notes.json")
        self.view, self._view_warning = _read_view(folder / _VIEW)

    @property
    def read_only(self) -> bool:
        """Whether it can only be looked at here."""
        return bool(self.holder)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of it was found damaged, and what came of it, in sentences."""
        others = (self.notes.warning, self._view_warning)
        return (*self.annotation.warnings, *(one for one in others if one))

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.folder.name.removesuffix(SUFFIX)

    def save_view(self, view: dict[str, Any]) -> None:
        """Remember how the segment is looked at: plain values that JSON knows.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self.view = view
        if not self.read_only:
            with storage_errors(self.folder / _VIEW):
                write_bytes(self.folder / _VIEW, json.dumps(view).encode())

    def close(self) -> None:
        """Write what is not written yet, and let others have the project.

        Raises
        ------
        OutputError
            If something cannot be written; the project stays open, so that nothing is lost.
        """
        self.annotation.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def default_project_folder(stack: DepthStack, keep_apart: Path | None = None) -> Path:
    """Return where a stack's project lies: ``<segment>.ink`` beside it, or in the user's cache if that is closed.

    Parameters
    ----------
    stack
        The stack.
    keep_apart
        A folder that nothing may be written into (the shipped sample's).
    """
    apart_from_all = user_cache_path("napari-ink") / f"{stack.name}{SUFFIX}"
    if stack.home is None:
        return apart_from_all  # it lies at an address
    source = Path(stack.source)
    if source.is_dir() and source.name in LAYER_FOLDERS:
        source = source.parent
    beside = source.parent / f"{stack.name}{SUFFIX}"
    apart = keep_apart is not None and source.is_relative_to(keep_apart)
    can_write = os.access(beside if beside.exists() else beside.parent, os.W_OK)
    is_free = beside.is_dir() or not beside.exists()
    return beside if is_free and can_write and not apart else apart_from_all


def is_project(folder: Path) -> bool:
    """Whether a folder holds a project, be it a damaged one."""
    return os.path.lexists(folder / _FILE)


def create_project(folder: Path, stack: DepthStack, author: str | None = None) -> Project:
    """Make a project for a stack; predictions that lie in the folder already stay.

    Raises
    ------
    ProjectError
        If the folder holds a project already.
    OutputError
        If it cannot be written.
    """
    if is_project(folder):
        raise ProjectError(f"{folder} holds a project already; open it.")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        project = Project(folder, stack, author or user_name())
        try:
            if project.read_only:
                raise ProjectError(f"{folder} is being made already by {project.holder}; open it there.")
            _write(folder, stack)  # last: what has no such file is no project yet
        except BaseException:
            project.close()
            raise
    return project


def open_project(
    folder: Path, stack_at: Path | str | None = None, author: str | None = None, look_only: bool = False
) -> Project:
    """Open a project; for reading only, if it is open elsewhere.

    Parameters
    ----------
    folder
        ``<segment>.ink``.
    stack_at
        Where its stack lies now, if it was moved.
    author
        Who is editing; the name of the user when None.
    look_only
        Whether to open it for reading only in any case, so that nothing of it changes.

    Raises
    ------
    ProjectError
        If it is no project, one of a later version, or damaged.
    StackMovedError
        If its stack is not where it was.
    BadInputError
        If the stack there is another one.
    """
    said = _read(folder)
    place: Path | str = said["stack"] if stack_at is None else stack_at
    if not is_address(place):
        place = Path(os.path.normpath(folder / place))
    if isinstance(place, Path) and not Path(str(place).partition("::")[0]).exists():
        raise StackMovedError(f"The stack of {folder.name} is not at {place} any more; say where it lies now.")
    try:
        stack = open_stack(place)
        differs = differences(fingerprint(stack), said["fingerprint"])
    except NapariInkError as error:
        raise StackMovedError(f"The stack of {folder.name} cannot be opened: {error}") from error
    if differs:
        raise BadInputError(f"{place} is not the stack that {folder.name} belongs to: {differs}; name the right one.")
    with storage_errors(folder):
        project = Project(folder, stack, author or user_name(), look_only)
        try:
            if not project.read_only and said["stack"] != _relative(folder, stack):
                _write(folder, stack)
        except BaseException:
            project.close()
            raise
    return project


def labels_of_project(folder: Path) -> tuple[Annotation, float | None]:
    """Open a project's labels for reading only, whether or not it is open elsewhere or its stack is there.

    Returns
    -------
    Annotation
        The labels.
    float or None
        The stack's voxel size in micrometres, where it is known.

    Raises
    ------
    ProjectError
        If it is no project, or cannot be read.
    """
    said = _read(folder)
    with decoder_errors(ProjectError, f"The labels of {folder}", "bring them back from a backup"):
        height, width = said["fingerprint"]["shape"][1:]
        return Annotation(folder, (height, width), read_only=True), said.get("voxel_size_um")


def _read(folder: Path) -> dict[str, Any]:
    """Return what a project says of itself, as far as this version knows what to make of it."""
    path = folder / _FILE
    if not os.path.lexists(path):
        raise ProjectError(f"{folder} is no project; name a folder that ends in {SUFFIX} and holds {_FILE}.")
    said: Any = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    with decoder_errors(ProjectError, path, "bring it back from a backup"):
        version = said["version"]
        if not isinstance(version, int):
            raise ValueError("its version is no number")
        if version <= _VERSION:  # a later version may say everything else in another way
            _check_sound(said)
    if version > _VERSION:
        raise ProjectError(f"{folder} was made by a later version of napari-ink; update napari-ink to open it.")
    return dict(said)


def _check_sound(said: dict[str, Any]) -> None:
    """Raise a `ValueError` or `TypeError` where a project says something else than a project does."""
    if not isinstance(said["stack"], str) or "\0" in said["stack"]:
        raise ValueError("its stack is no path")
    found = said["fingerprint"]
    shape, voxel_size = found["shape"], said.get("voxel_size_um")
    if not isinstance(found["dtype"], str) or not isinstance(found["rows_crc32"], int):
        raise ValueError("its fingerprint is none")
    is_shape = isinstance(shape, list) and len(shape) == 3 and all(isinstance(one, int) for one in shape)
    if not is_shape or not all(0 < one < 2**31 for one in shape):
        raise ValueError("its shape is none")
    if voxel_size is not None and not (isinstance(voxel_size, int | float) and voxel_size > 0):
        raise ValueError("its voxel size is none")


def _write(folder: Path, stack: DepthStack) -> None:
    said = {
        "version": _VERSION,
        "segment": stack.name,
        "stack": _relative(folder, stack),
        "fingerprint": fingerprint(stack),
        "voxel_size_um": stack.voxel_size_um,
    }
    write_bytes(folder / _FILE, json.dumps(said, indent=1).encode())


def _relative(folder: Path, stack: DepthStack) -> str:
    if isinstance(stack.source, str):
        return stack.source
    try:
        return Path(os.path.relpath(stack.source, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return stack.source.as_posix()


def _read_view(path: Path) -> tuple[dict[str, Any], str]:
    """Return how a segment was looked at last, and a warning where that cannot be read: nothing depends on it."""
    if not os.path.lexists(path):
        return {}, ""
    try:
        view = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    except ProjectError as error:
        return {}, f"{str(error).partition('; ')[0]}: the view begins anew."
    return (view, "") if isinstance(view, dict) else ({}, f"{path} holds no view: it begins anew.")
