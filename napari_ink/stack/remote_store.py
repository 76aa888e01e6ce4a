"""A Zarr store at an address, to be read only."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from napari_ink.stack.remote import Remote

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


class RemoteStore(Store):
    """Chunks come by way of the cache on disk; metadata are asked for anew, and chunks of older metadata forgotten.

    Parameters
    ----------
    remote
        The address of the store.

    Attributes
    ----------
    missing : set of str
        The chunks that were asked for and are not there.
    """

    supports_writes = supports_deletes = supports_listing = False
    supports_partial_writes = False

    def __init__(self, remote: Remote) -> None:
        super().__init__(read_only=True)
        self._remote = remote
        self._version = 0
        self.missing: set[str] = set()

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a value or a range of it; None if it is not there."""
        if key.rpartition("/")[2] in _METADATA:
            data = await asyncio.to_thread(self._remote.read, key)
            if data is not None:
                self._version = zlib.crc32(data, self._version)
        else:
            start, stop = _ends(byte_range)
            data = await asyncio.to_thread(self._remote.read_cached, key, start, stop, str(self._version))
            if data is None:
                self.missing.add(key)
        return None if data is None else prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several values or ranges."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Whether a value is there."""
        return await asyncio.to_thread(self._remote.read, key) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse to write."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """Refuse to list: a web server cannot."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list: a web server cannot."""
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list: a web server cannot."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        """Whether two stores lie at one address."""
        return isinstance(other, RemoteStore) and other._remote.address == self._remote.address

    def __hash__(self) -> int:
        return hash(self._remote.address)


def _ends(byte_range: ByteRequest | None) -> tuple[int | None, int | None]:
    """Return the ends of a range as fsspec takes them; a start below zero counts from the end."""
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    if isinstance(byte_range, SuffixByteRequest):
        return -byte_range.suffix, None
    return None, None
