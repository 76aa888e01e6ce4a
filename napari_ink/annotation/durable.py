"""Writing that survives a crash: whole or not at all, and on the disk before anything relies on it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


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
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's names through to the disk, where the system can."""
    if os.name == "nt":  # Windows opens no folders, and keeps names in its own journal
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class DurableStore(LocalStore):
    """A Zarr store in a folder whose chunks are written through to the disk, and replaced, never rewritten."""

    async def set(self, key: str, value: Buffer) -> None:
        """Put a value in place of the one before."""
        self._check_writable()
        await asyncio.to_thread(write_durably, self.root / key, value.to_bytes())

    async def delete(self, key: str) -> None:
        """Remove a value for good."""
        await super().delete(key)
        path = self.root / key
        if path.parent.is_dir():
            await asyncio.to_thread(sync_folder, path.parent)
