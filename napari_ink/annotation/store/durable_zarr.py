"""A Zarr store whose chunks survive a crash; not in `durable`, since importing Zarr is slow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from napari_ink.durable import sync, write_bytes

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


class DurableStore(LocalStore):
    """A Zarr store in a folder; chunks are synced to disk, and replaced rather than overwritten."""

    async def set(self, key: str, value: Buffer) -> None:
        """Replace a value."""
        self._check_writable()
        # Versions hard-link chunks, so a file must be replaced: overwriting it would change the versions too.
        await asyncio.to_thread(write_bytes, self.root / key, value.to_bytes())

    async def delete(self, key: str) -> None:
        """Remove a value, and sync its folder so that it stays removed."""
        await super().delete(key)
        path = self.root / key
        if path.parent.is_dir():
            await asyncio.to_thread(sync, path.parent)
