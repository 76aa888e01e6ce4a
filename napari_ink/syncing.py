"""Files and folders, on the disk for good: what is not may be empty after the machine has failed."""

from __future__ import annotations

import os
from pathlib import Path


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
