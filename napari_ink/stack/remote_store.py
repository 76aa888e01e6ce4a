"""A Zarr store at an address, to be read only."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from napari_ink.errors import StackError
from napari_ink.stack.remote import Remote, is_page
from napari_ink.stack.remote_http import AccessError

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


class ServerFailures(AbstractContextManager["ServerFailures"]):
    """Raise what a server failed with once zarr has ended a read, instead of inside zarr.

    Zarr asks for many chunks at once. An error raised in one of these requests would leave the others running, each
    with attempts of its own, and their errors to nobody; they would be logged as tracebacks. So a request that fails
    is noted here, the others of the same read then ask for nothing more, and the first error is raised at the end.
    """

    def __init__(self) -> None:
        self.errors: list[StackError] = []
        self.refused: list[AccessError] = []
        self._token: Token[ServerFailures | None] | None = None

    def __enter__(self) -> Self:
        self._token = _failures.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            _failures.reset(self._token)
        is_ours = kind is None or issubclass(kind, Exception)
        # Metadata that a server refuses may be none: buckets that cannot be listed answer so for what is not there.
        told = self.errors or (self.refused if kind is not None else [])
        if told and is_ours:
            raise told[0] from error


# Zarr runs requests on a thread of its own, in the context of whoever asked.
_failures: ContextVar[ServerFailures | None] = ContextVar("server_failures", default=None)


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
    failures : type of ServerFailures
        To be used in a ``with`` around whatever reads from the store.
    """

    supports_writes = supports_deletes = supports_listing = False
    supports_partial_writes = False
    failures = ServerFailures

    def __init__(self, remote: Remote) -> None:
        super().__init__(read_only=True)
        self._remote = remote
        self._version = 0
        self.missing: set[str] = set()

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a value or a range of it; None if it is not there."""
        failures = _failures.get()
        if failures is not None and failures.errors:
            return None
        try:
            data = await self._data(key, byte_range)
        except StackError as error:
            if failures is None:
                raise
            failures.errors.append(error)
            return None
        return None if data is None else prototype.buffer.from_bytes(data)

    async def _data(self, key: str, byte_range: ByteRequest | None) -> bytes | None:
        if key.rpartition("/")[2] in _METADATA:
            data = await self._metadata(key)
            if data is not None:
                self._version = zlib.crc32(data, self._version)
            return data
        start, stop = _ends(byte_range)
        data = await asyncio.to_thread(self._remote.read_cached, key, start, stop, str(self._version))
        if data is None:
            self.missing.add(key)
        return data

    async def _metadata(self, key: str) -> bytes | None:
        try:
            data = await asyncio.to_thread(self._remote.read, key)
        except AccessError as error:
            if (failures := _failures.get()) is not None:
                failures.refused.append(error)
            return None
        return None if data is None or is_page(data) else data

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several values or ranges."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Whether a value is there."""
        return await self._data(key, None) is not None

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
