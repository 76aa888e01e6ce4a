"""A read-only Zarr store at an address."""

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
    """Collects the errors of a server during a read of zarr, and raises the first one at its end.

    Zarr requests many chunks at the same time. If one of these requests raised its error, the others would continue,
    each with retries, and nobody would handle their errors, which asyncio logs as tracebacks. So the first error is
    stored here, the other requests of the same read return at once, and the error is raised when the ``with`` block
    ends.
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
        # A refusal counts only if zarr failed, too: buckets that cannot be listed refuse files that do not exist.
        errors = self.errors or (self.refused if kind is not None else [])
        if errors and is_ours:
            raise errors[0] from error


# A context variable, since zarr runs requests on its own thread, but in the caller's context.
_failures: ContextVar[ServerFailures | None] = ContextVar("server_failures", default=None)


class RemoteStore(Store):
    """A read-only Zarr store at an address, with chunks cached on disk.

    Metadata always come from the server. Their checksum is the version of cached chunks, so that changed metadata
    invalidate these.

    Parameters
    ----------
    remote
        Files under the store's address.

    Attributes
    ----------
    missing : set of str
        Keys of chunks that were requested and do not exist.
    failures : type of ServerFailures
        Context manager for all reads from the store.
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
        """Return a value or a range of it; None if it does not exist."""
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
        """Whether a value exists."""
        return await self._data(key, None) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Raise, since the store is read-only."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Raise, since the store is read-only."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """Raise, since web servers cannot list."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Raise, since web servers cannot list."""
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Raise, since web servers cannot list."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        """Whether the other store has the same address."""
        return isinstance(other, RemoteStore) and other._remote.address == self._remote.address

    def __hash__(self) -> int:
        return hash(self._remote.address)


def _ends(byte_range: ByteRequest | None) -> tuple[int | None, int | None]:
    """Return start and stop of a range as fsspec takes them; a negative start counts from the end."""
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    if isinstance(byte_range, SuffixByteRequest):
        return -byte_range.suffix, None
    return None, None
