"""Files and folders, on the disk for good: what is not may be empty after the machine has failed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_ink.errors import storage_errors


def sync(path: Path) -> None:
    """Have the system write out a file, or the names in a folder.

    Raises
    ------
    OSError
        If it cannot.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows keeps names by itself and opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(path: Path) -> None:
    """Have the system write out a file, or a folder and all that is in it.

    Raises
    ------
    OSError
        If it cannot.
    """
    for inside in (*path.rglob("*"), path):
        sync(inside)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a small file beside its final name, through to the disk, and move it there.

    A folder that is not there is made.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a place of the same name to write a file or folder at; at the end it moves to `path`.

    Raises
    ------
    OutputError
        If it cannot be written; what `path` was before is then still there.
    """
    work = path.with_name(f".{path.stem[:40]}.{os.getpid()}.partial")
    partial, former = work / path.name, work / "former"
    shutil.rmtree(work, ignore_errors=True)
    try:
        with storage_errors(path):
            work.mkdir()
            yield partial
            sync_all(partial)
            if path.is_dir():  # a folder is not replaced in one step
                os.rename(path, former)
            try:
                os.replace(partial, path)
            except OSError:
                if former.exists():
                    os.rename(former, path)
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
