"""Files at an address: http, https, s3 and what else fsspec reaches, with a bounded cache on disk."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from platformdirs import user_cache_path

from napari_ink.errors import StackError

if TYPE_CHECKING:
    import diskcache

T = TypeVar("T")

TIMEOUT_S = 20.0
_ATTEMPTS = 3
_PAUSE_S = 0.5
_BLOCK = 2**16
_CACHE_GB = "NAPARI_INK_CACHE_GB"
_DEFAULT_GB = 10.0
_NEEDED = "needs the packages of the extra [remote]; install them with: pip install 'napari-ink[remote]'"


def is_address(source: str | os.PathLike[str]) -> bool:
    """Whether a source is an address rather than a path."""
    return "://" in os.fspath(source)


class Remote:
    """What lies under an address, read whole or by ranges of bytes, and tried again where a network falters.

    Parameters
    ----------
    address
        The address, such as ``https://host/folder`` or ``s3://bucket/folder``.

    Raises
    ------
    StackError
        If nothing installed reaches such an address.
    """

    def __init__(self, address: str) -> None:
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(address, **_options(address))
        except (ImportError, ValueError) as error:
            said = _NEEDED if isinstance(error, ImportError) else f"cannot be reached ({error})"
            raise StackError(f"{address} {said}.") from error
        self.address = address.rstrip("/")
        self._root = self._root.rstrip("/")

    def at(self, path: str) -> str:
        """Return the address of a path under this one."""
        return f"{self.address}/{path}" if path else self.address

    def read(self, path: str = "") -> bytes | None:
        """Read a file whole, and never from the cache; None if it is not there."""
        return self._try(partial(self._files.cat_file, self._under(path)), path)

    def read_cached(self, path: str, start: int | None, stop: int | None, version: str) -> bytes | None:
        """Read a file or a range of it, from the cache if it holds that of this version; None if it is not there."""
        kept, part = _kept(), slice(start, stop)
        key, whole = (self.at(path), start, stop, version), (self.at(path), None, None, version)
        found: bytes | None = kept.get(key)
        if found is not None:
            return found
        if (start, stop) != (None, None) and (all_of_it := kept.get(whole)) is not None:
            return bytes(all_of_it[part])
        found = self._try(partial(self._files.cat_file, self._under(path), start=start, end=stop), path)
        if found is not None and _is_more_than_asked(found, start, stop):
            kept.set(whole, found)  # a plain server that sends the whole file whatever is asked for
            return bytes(found[part])
        if found is not None:
            kept.set(key, found)
        return found

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Read a range of a file that is there.

        Raises
        ------
        StackError
            If it cannot be read, or is shorter now.
        """
        data: bytes | None = self._try(partial(self._files.cat_file, self._under(path), start=start, end=stop), path)
        if data is not None and _is_more_than_asked(data, start, stop):
            raise StackError(
                f"{self.at(path)} is on a server that sends no parts of a file; download it and open the copy."
            )
        if data is None or len(data) != stop - start:
            raise StackError(f"{self.at(path)} has changed since the stack was opened; open the stack again.")
        return data

    def names(self, path: str = "") -> list[str]:
        """Return the names in a folder; none where it cannot be listed."""
        listed = self._try(partial(self._files.ls, self._under(path), detail=False), path)
        return [one.rstrip("/").rpartition("/")[2] for one in listed or []]

    def file(self, path: str = "") -> RemoteFile:
        """Return one file, to be read by ranges.

        Raises
        ------
        StackError
            If it is not there, or the server says no size.
        """
        said = self._try(partial(self._files.info, self._under(path)), path)
        if said is None:
            raise StackError(f"There is nothing at {self.at(path)}; check the address.")
        if not isinstance(said.get("size"), int):
            raise StackError(f"{self.at(path)} has no size that its server says; download it and open the copy.")
        version = str(said.get("ETag") or said.get("mtime") or said.get("LastModified") or "")
        return RemoteFile(self, path, said["size"], version)

    def _under(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _try(self, ask: Callable[[], T], path: str) -> T | None:
        """Ask a few times, with pauses: a network falters, a server is busy."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S * 2**attempt)
            try:
                return ask()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            except _network_errors() as error:
                reason = " ".join(str(error).split()) or type(error).__name__
        raise StackError(
            f"{self.at(path)} could not be read in {_ATTEMPTS} attempts ({reason}); check the network and try again."
        )


class RemoteFile:
    """One file at an address, of a known size, read in blocks that the cache keeps.

    Attributes
    ----------
    size
        In bytes.
    """

    def __init__(self, remote: Remote, path: str, size: int, version: str) -> None:
        self._remote, self._path, self.size = remote, path, size
        self._version = f"{version} {size}"

    def __str__(self) -> str:
        return self._remote.at(self._path)

    @property
    def name(self) -> str:
        """The last part of its address."""
        return str(self).rpartition("/")[2]

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range.

        Raises
        ------
        StackError
            If the network gives them in no attempt, or the file is not whole any more.
        """
        blocks: dict[int, bytes] = {}
        wanted = range(start // _BLOCK, -(-min(stop, self.size) // _BLOCK))
        kept = {one: _kept().get(self._key(one)) for one in wanted}
        for first, last in _runs([one for one in wanted if kept[one] is None]):
            data = self._remote.read_range(self._path, first * _BLOCK, min(last * _BLOCK, self.size))
            for one in range(first, last):
                blocks[one] = data[(one - first) * _BLOCK : (one - first + 1) * _BLOCK]
                _kept().set(self._key(one), blocks[one])
        data = b"".join(blocks[one] if kept[one] is None else kept[one] for one in wanted)
        skipped = start - start // _BLOCK * _BLOCK
        return data[skipped : skipped + stop - start]

    def _key(self, block: int) -> tuple[str, int, str]:
        return str(self), block, self._version

    def open(self) -> io.BufferedReader:
        """Return a file object over it."""
        return io.BufferedReader(_Reader(self))


def _is_more_than_asked(data: bytes, start: int | None, stop: int | None) -> bool:
    if start is None:
        return False
    length = -start if start < 0 else (None if stop is None else stop - start)
    return length is not None and len(data) > length


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the half-open runs of consecutive numbers: each is fetched at once."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = runs[-1][0], number + 1
        else:
            runs.append((number, number + 1))
    return runs


class _Reader(io.RawIOBase):
    def __init__(self, file: RemoteFile) -> None:
        self._file, self._at = file, 0
        self.name = file.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._file.fetch(self._at, min(self._at + len(buffer), self._file.size))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _options(address: str) -> dict[str, Any]:
    if address.startswith("http"):
        import aiohttp

        # No limit on the whole: a large block over a slow line may take long, as long as something arrives.
        limits = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
        return {"client_kwargs": {"timeout": limits}, "skip_instance_cache": True}
    if address.startswith("s3:"):
        # The scrolls' buckets are public; who has credentials of their own says so by a profile.
        return {"anon": not any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"))}
    return {}


@cache
def _network_errors() -> tuple[type[BaseException], ...]:
    errors: list[type[BaseException]] = [OSError, TimeoutError, ValueError]
    try:
        import aiohttp

        errors.append(aiohttp.ClientError)
    except ImportError:
        pass
    try:
        import botocore.exceptions

        errors += [botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError]
    except ImportError:
        pass
    return tuple(errors)


@cache
def _kept() -> diskcache.Cache:
    """Return the cache on disk; what was read longest ago leaves first once it is full."""
    try:
        import diskcache
    except ImportError as error:
        raise StackError(f"Reading from an address {_NEEDED}.") from error
    limit = float(os.environ.get(_CACHE_GB, _DEFAULT_GB)) * 2**30
    place = user_cache_path("napari-ink") / "remote"
    return diskcache.Cache(place, size_limit=int(limit), eviction_policy="least-recently-used")
