"""Cache on disk for data from addresses: bounded in size, verified by checksums, and optional."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.decoding import decoder_errors, reason_of
from napari_ink.errors import StackError

if TYPE_CHECKING:
    import diskcache

CACHE_GB = "NAPARI_INK_CACHE_GB"
_DEFAULT_GB = 10.0
_LARGEST_VALUE = 2**28  # caching copies a value in memory, too much for larger ones
_HEADER_BYTES = 12
_BUSY_S = 5

_logger = logging.getLogger(__name__)


def cache_gigabytes() -> float:
    """Return the most gigabytes that the cache may take; 0 for no cache.

    Raises
    ------
    StackError
        If the environment variable is set to anything but a size.
    """
    setting = os.environ.get(CACHE_GB, "")
    try:
        size = float(setting) if setting else _DEFAULT_GB
    except ValueError:
        size = math.nan
    if not 0 <= size < 2**30:
        raise StackError(f"{CACHE_GB} is {setting!r}, which is not a size; set it to gigabytes, such as 10, or 0.")
    return size


class CheckedCache:
    """A cache on disk that never returns damaged values and that readers work without.

    Each value is stored with its length and a checksum of key and value; one that was truncated or changed counts as
    missing. If the folder cannot be used (read-only, full, damaged), a warning says so once, and the cache is switched
    off.

    Parameters
    ----------
    folder
        Folder of the cache.
    gigabytes
        Most that the cache takes, after which the least recently used values are removed; 0 stores nothing.
    """

    def __init__(self, folder: Path, gigabytes: float) -> None:
        self._folder = folder
        self._giving_up = threading.Lock()
        self._is_told = False
        self._cache: diskcache.Cache | None = None
        if gigabytes <= 0:
            return
        try:
            with decoder_errors(_CacheError, folder, ""):
                self._cache = _opened(folder, int(gigabytes * 2**30))
        except _CacheError as error:
            self._give_up(error)

    def get(self, key: str) -> bytes | None:
        """Return a stored value; None if it is missing or damaged."""
        if (cache := self._cache) is None:
            return None
        try:
            with decoder_errors(_CacheError, self._folder, ""):
                stored = cache.get(_digest(key))
        except _CacheError as error:
            self._give_up(error)
            return None
        return None if stored is None else _checked(key, stored)

    def set(self, key: str, value: bytes) -> None:
        """Store a value, unless it is too large or the cache cannot be used."""
        if (cache := self._cache) is None or len(value) > _LARGEST_VALUE:
            return
        try:
            with decoder_errors(_CacheError, self._folder, ""):
                cache.set(_digest(key), _header(key, value) + value)
        except _CacheError as error:
            self._give_up(error)

    def volume(self) -> int:
        """Return the cache's size on disk in bytes."""
        return 0 if self._cache is None else int(self._cache.volume())

    def close(self) -> None:
        """Close the cache's files."""
        if self._cache is not None:
            self._cache.close()

    def _give_up(self, error: _CacheError) -> None:
        with self._giving_up:  # several threads may fail at the same time
            is_told, self._is_told, self._cache = self._is_told, True, None
        if not is_told:
            _logger.warning(
                "The cache in %s cannot be used (%s), so nothing is cached; make sure that the folder can be written "
                "and has room, or delete it.",
                self._folder,
                reason_of(error.__cause__ or error),
            )


class _CacheError(StackError):
    """Any failure of the cache's library or the disk; it never leaves this module."""


def _opened(folder: Path, size_limit: int) -> diskcache.Cache:
    import diskcache

    class BytesAlone(diskcache.Disk):  # type: ignore[misc]
        """A store of bytes that refuses pickles: they are damaged records, or an attack, since unpickling runs code."""

        def fetch(self, mode: int, filename: str, value: Any, read: bool) -> Any:
            if mode == diskcache.core.MODE_PICKLE:
                raise ValueError("a record is damaged")
            return super().fetch(mode, filename, value, read)

    return diskcache.Cache(
        folder, timeout=_BUSY_S, disk=BytesAlone, size_limit=size_limit, eviction_policy="least-recently-used"
    )


def _digest(key: str) -> str:
    # An address from the command line may hold bytes that are not UTF-8, which Python keeps as surrogates.
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _header(key: str, value: bytes) -> bytes:
    checksum = zlib.crc32(value, zlib.crc32(key.encode(errors="surrogatepass")))
    return len(value).to_bytes(_HEADER_BYTES - 4, "big") + checksum.to_bytes(4, "big")


def _checked(key: str, stored: object) -> bytes | None:
    """Return the value in a stored record; None if length or checksum do not match."""
    if not isinstance(stored, bytes):
        return None
    value = stored[_HEADER_BYTES:]
    return value if stored[:_HEADER_BYTES] == _header(key, value) else None
