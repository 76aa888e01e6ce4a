"""Durable writing: files and folders that survive a crash of the machine as a whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
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


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a small file beside its final path, flush it to the disk, and move it there.

    Missing folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    # The new name is an entry of the folder, which must reach the disk, too.
    sync(path.parent)


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
    finally:
        shutil.rmtree(work, ignore_errors=True)
