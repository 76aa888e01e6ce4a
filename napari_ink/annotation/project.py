"""Projects: the folder with all work on one segment, and the path to its stack, relative so that both can move."""

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
from napari_ink.durable import make_folder, write_bytes
from napari_ink.errors import BadInputError, NapariInkError, ProjectError, StackMovedError, storage_errors
from napari_ink.stack import LAYER_FOLDERS, DepthStack, is_address, open_stack

SUFFIX = ".ink"
_FILE, _VIEW, _VERSION = "project.json", "view.json", 1


class Project:
    """The work on one segment: its stack, its labels and its last view.

    Use `create_project` or `open_project`. The folder holds ``project.json``, ``view.json``, labels and predictions.

    Attributes
    ----------
    folder : Path
        Folder of the project, ``<segment>.ink``.
    stack : DepthStack
        Stack that the labels belong to.
    author : str
        Name of the person who edits.
    annotation : Annotation
        Labels of the segment, with their history.
    versions : Versions
        Named versions of the labels.
    notes : Notes
        Notes on places of the segment.
    view : dict
        The view that `save_view` stored last; empty at first.
    holder : str
        Who has the project open elsewhere, so that it is read-only here; empty if it can be edited.
    """

    def __init__(self, folder: Path, stack: DepthStack, author: str, look_only: bool = False) -> None:
        self.folder, self.stack, self.author = folder, stack, author
        self._lock = None if look_only else ProjectLock(folder, author)
        self.holder = "nobody; it was opened read-only" if self._lock is None else self._lock.holder
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
        """Whether the project is open for reading only."""
        return bool(self.holder)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about damage that was found, and its repair."""
        others = (self.notes.warning, self._view_warning)
        return (*self.annotation.warnings, *(one for one in others if one))

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.folder.name.removesuffix(SUFFIX)

    def save_view(self, view: dict[str, Any]) -> None:
        """Store how the segment is displayed, as JSON values.

        Raises
        ------
        OutputError
            If the view cannot be written.
        """
        self.view = view
        if not self.read_only:
            with storage_errors(self.folder / _VIEW):
                write_bytes(self.folder / _VIEW, json.dumps(view).encode())

    def close(self) -> None:
        """Write pending changes to disk and release the lock.

        Raises
        ------
        OutputError
            If changes cannot be written; the project stays open, so that nothing is lost.
        """
        self.annotation.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def default_project_folder(stack: DepthStack, keep_clear_of: Path | None = None) -> Path:
    """Return the folder of a stack's project: ``<segment>.ink`` beside the stack, or in the user's cache.

    Parameters
    ----------
    stack
        Stack of the project.
    keep_clear_of
        Folder that must not be written to, such as that of the shipped sample.
    """
    in_cache = user_cache_path("napari-ink") / f"{stack.name}{SUFFIX}"
    if stack.home is None:
        return in_cache  # a remote stack
    source = Path(stack.source)
    if source.is_dir() and source.name in LAYER_FOLDERS:
        source = source.parent
    beside = source.parent / f"{stack.name}{SUFFIX}"
    is_forbidden = keep_clear_of is not None and source.is_relative_to(keep_clear_of)
    can_write = os.access(beside if beside.exists() else beside.parent, os.W_OK)
    is_free = beside.is_dir() or not beside.exists()
    return beside if is_free and can_write and not is_forbidden else in_cache


def is_project(folder: Path) -> bool:
    """Return whether a folder holds a project, even a damaged one."""
    return os.path.lexists(folder / _FILE)


def create_project(folder: Path, stack: DepthStack, author: str | None = None) -> Project:
    """Create and open a project for a stack; predictions that are in the folder already stay.

    Raises
    ------
    ProjectError
        If the folder holds a project already.
    OutputError
        If the project cannot be written.
    """
    if is_project(folder):
        raise ProjectError(f"{folder} contains a project already; open it.")
    with storage_errors(folder):
        make_folder(folder)
        project = Project(folder, stack, author or user_name())
        try:
            if project.read_only:
                raise ProjectError(f"{folder} is already being created by {project.holder}; open it there.")
            _write(folder, stack)  # last, since this file makes the folder a project
        except BaseException:
            project.close()
            raise
    return project


def open_project(
    folder: Path, stack_at: Path | str | None = None, author: str | None = None, look_only: bool = False
) -> Project:
    """Open a project, for reading only if it is open elsewhere.

    Parameters
    ----------
    folder
        Folder of the project, ``<segment>.ink``.
    stack_at
        New path of the stack, if it was moved.
    author
        Name of the person who edits; None for the user's name.
    look_only
        Whether to open the project for reading only in any case.

    Raises
    ------
    ProjectError
        If the folder is not a project, or it is damaged or of a later version.
    StackMovedError
        If the stack is not at its path.
    BadInputError
        If a different stack is there.
    """
    record = _read(folder)
    place: Path | str = record["stack"] if stack_at is None else stack_at
    if not is_address(place):
        place = Path(os.path.normpath(folder / place))
    # "FILE::DATASET" names a stack inside a file, which must exist itself.
    if isinstance(place, Path) and not Path(str(place).partition("::")[0]).exists():
        raise StackMovedError(f"The stack of {folder.name} is no longer at {place}; give its new path.")
    try:
        stack = open_stack(place)
        differs = differences(fingerprint(stack), record["fingerprint"])
    except NapariInkError as error:
        raise StackMovedError(f"The stack of {folder.name} cannot be opened: {error}") from error
    if differs:
        raise BadInputError(f"{place} is not the stack that {folder.name} belongs to: {differs}; give the right one.")
    with storage_errors(folder):
        project = Project(folder, stack, author or user_name(), look_only)
        try:
            if not project.read_only and record["stack"] != _relative(folder, stack):
                _write(folder, stack)
        except BaseException:
            project.close()
            raise
    return project


def labels_of_project(folder: Path) -> tuple[Annotation, float | None]:
    """Open a project's labels for reading only, even if it is open elsewhere or its stack is missing.

    Returns
    -------
    Annotation
        The labels.
    float or None
        The stack's voxel size in micrometres; None if unknown.

    Raises
    ------
    ProjectError
        If the folder is not a project, or cannot be read.
    """
    record = _read(folder)
    with decoder_errors(ProjectError, f"The labels of {folder}", "restore them from a backup"):
        height, width = record["fingerprint"]["shape"][1:]
        return Annotation(folder, (height, width), read_only=True), record.get("voxel_size_um")


def _read(folder: Path) -> dict[str, Any]:
    """Return the checked contents of a project's file."""
    path = folder / _FILE
    if not os.path.lexists(path):
        raise ProjectError(f"{folder} is not a project; give a folder that ends in {SUFFIX} and contains {_FILE}.")
    record: Any = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    with decoder_errors(ProjectError, path, "restore it from a backup"):
        version = record["version"]
        if not isinstance(version, int):
            raise ValueError("its version is not a number")
        if version <= _VERSION:  # a later version may use other keys
            _check_sound(record)
    if version > _VERSION:
        raise ProjectError(f"{folder} was made by a later version of napari-ink; update napari-ink to open it.")
    return dict(record)


def _check_sound(record: dict[str, Any]) -> None:
    """Raise a `ValueError`, `TypeError` or `KeyError` if a value in a project's file is invalid."""
    if not isinstance(record["stack"], str) or "\0" in record["stack"]:
        raise ValueError("the path of its stack is invalid")
    found = record["fingerprint"]
    shape, voxel_size = found["shape"], record.get("voxel_size_um")
    if not isinstance(found["dtype"], str) or not isinstance(found["rows_crc32"], int):
        raise ValueError("its fingerprint is invalid")
    is_shape = isinstance(shape, list) and len(shape) == 3 and all(isinstance(one, int) for one in shape)
    if not is_shape or not all(0 < one < 2**31 for one in shape):
        raise ValueError("its shape is invalid")
    if voxel_size is not None and not (isinstance(voxel_size, int | float) and voxel_size > 0):
        raise ValueError("its voxel size is invalid")


def _write(folder: Path, stack: DepthStack) -> None:
    record = {
        "version": _VERSION,
        "segment": stack.name,
        "stack": _relative(folder, stack),
        "fingerprint": fingerprint(stack),
        "voxel_size_um": stack.voxel_size_um,
    }
    write_bytes(folder / _FILE, json.dumps(record, indent=1).encode())


def _relative(folder: Path, stack: DepthStack) -> str:
    if isinstance(stack.source, str):
        return stack.source
    try:
        return Path(os.path.relpath(stack.source, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return stack.source.as_posix()


def _read_view(path: Path) -> tuple[dict[str, Any], str]:
    """Return the stored view, and a warning if it cannot be read; a lost view is no reason not to open a project."""
    if not os.path.lexists(path):
        return {}, ""
    try:
        view = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    except ProjectError as error:
        return {}, f"{str(error).partition('; ')[0]}; the view is reset."
    return (view, "") if isinstance(view, dict) else ({}, f"{path} contains no view; the view is reset.")
