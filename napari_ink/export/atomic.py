"""Outputs that are whole or not there: written in a folder beside their final place, through to the disk, and moved."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_ink.errors import storage_errors
from napari_ink.syncing import sync_all


@contextmanager
def new_output(path: Path) -> Iterator[Path]:
    """Give a place of the same name to write a file or folder at; at the end it moves to `path`.

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
