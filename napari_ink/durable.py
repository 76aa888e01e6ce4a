"""Durable writing: files and folders that survive a crash of the machine as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from napari_ink.errors import storage_errors


def sync(path: Path) -> None:
    """Flush a file's contents, or the names in a folder, to the disk.

    Raises
    ------
    OSError
        If the system reports a failure.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows writes names by itself and cannot open folders
    is_folder = path.is_dir()
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and FUSE file systems sync files alone.
        if not is_folder or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_all(path: Path) -> None:
    """Flush a file, or a folder and everything in it, to the disk.

    Raises
    ------
    OSError
        If the system reports a failure.
    """
    for inside in (*path.rglob("*"), path):
        sync(inside)


def make_folder(path: Path) -> None:
    """Create a folder and the missing ones above it, and flush their names to the disk; an existing one stays.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a small file beside its final path, flush it to the disk, and move it there.

    Missing folders are created.
    """
    make_folder(path.parent)
    with replacing_file(path) as file:
        file.write(content)


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write what `path` is to hold; at the end it is on the disk and moved there.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    with replacing_unsynced(path) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    # The new name is an entry of the folder, which must reach the disk, too.
    sync(path.parent)


@contextmanager
def replacing_unsynced(path: Path) -> Iterator[BinaryIO]:
    """Yield a file like `replacing_file`, but flush nothing to the disk: for many files that are flushed together.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    except BaseException:  # Ctrl-C, too, must leave no unfinished file
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name for a new file or folder, which is moved to `path` at the end.

    Raises
    ------
    OutputError
        If it cannot be written; an existing file or folder at `path` is then unchanged.
    """
    work = path.with_name(f".{path.stem[:40]}.{os.getpid()}.partial")
    partial, former = work / path.name, work / "former"
    shutil.rmtree(work, ignore_errors=True)
    try:
        with storage_errors(path):
            work.mkdir()
            yield partial
            sync_all(partial)
            if path.is_dir():  # no system call replaces a folder that is not empty
                os.rename(path, former)
            try:
                os.replace(partial, path)
            except OSError:
                if former.exists():
                    os.rename(former, path)
                raise
            sync(path.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` for a new folder; at the end it is on the disk, and is moved to `path`.

    Raises
    ------
    FileExistsError
        If a file, or a folder that is not empty, is at `path` by then; it stays as it is.
    OSError
        If the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left behind by a killed process that had the same process id
    try:
        yield partial
        sync_all(partial)
        try:
            # Of two that create the same folder at once only one gets the name, since this fails for the other.
            os.rename(partial, path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
            raise
        sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
