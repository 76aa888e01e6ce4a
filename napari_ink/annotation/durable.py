"""Writing that survives a crash: whole or not at all, and on the disk before anything relies on it."""

from __future__ import annotations

import os
from pathlib import Path

from napari_ink.syncing import sync


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Put a file in place under its final name, written through to the disk first.

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
