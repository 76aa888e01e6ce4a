"""A Zarr store whose chunks survive a crash; apart from `durable`, because Zarr takes its time to import."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from napari_ink.durable import sync, write_bytes

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


class DurableStore(LocalStore):
    """A Zarr store in a folder whose chunks are written through to the disk, and replaced, never rewritten."""

    async def set(self, key: str, value: Buffer) -> None:
        """Put a value in place of the one before."""
        self._check_writable()
        await asyncio.to_thread(write_bytes, self.root / key, value.to_bytes())

    async def delete(self, key: str) -> None:
        """Remove a value for good."""
        await super().delete(key)
        path = self.root / key
        if path.parent.is_dir():
            await asyncio.to_thread(sync, path.parent)
