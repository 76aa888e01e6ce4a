"""Files at an address (http, https, s3 and other protocols of fsspec), with a bounded cache on disk."""

from __future__ import annotations

import io
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from typing import Any, Protocol, TypeVar

from platformdirs import user_cache_path

from napari_ink.decoding import MOST_METADATA_BYTES, reason_of
from napari_ink.errors import StackError
from napari_ink.stack.address import address_path
from napari_ink.stack.remote_cache import CheckedCache, cache_gigabytes
from napari_ink.stack.remote_http import TIMEOUT_S, AccessError, HttpFiles, NoRangesError, Part

T = TypeVar("T")

_opening = threading.Lock()
_ATTEMPTS = 3
_PAUSE_S = 0.5
_HURRY_S = 10.0
_BLOCK = 2**16
_MOST_VALUE_BYTES = 2**29
_MOST_S = 120.0
_NEEDED = "needs the packages of the extra [remote]; install them with: pip install 'napari-ink[remote]'"


def is_page(data: bytes) -> bool:
    """Whether bytes are a web page, which servers send instead of a missing file, and not metadata."""
    return data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


class Files(Protocol):
    """Access to files under an address, without retries or a cache."""

    def read(self, path: str, most_bytes: int) -> bytes:
        """Return a whole file; raise `StackError` if it is larger than `most_bytes`."""
        ...

    def read_part(self, path: str, start: int, stop: int | None, most_bytes: int) -> Part:
        """Return a range of a file, counted from its end if `start` is negative; some servers send the whole file."""
        ...

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Return a range of a file; raise `NoRangesError` if the server only sends the whole file."""
        ...

    def describe(self, path: str) -> tuple[int | None, str]:
        """Return a file's size, None if unknown, and a text that changes with its content."""
        ...

    def names(self, path: str) -> list[str]:
        """Return the names in a folder."""
        ...


class Remote:
    """Files under an address, read whole or by ranges of bytes, with retries after network errors.

    Parameters
    ----------
    address
        The address, such as ``https://host/folder`` or ``s3://bucket/folder``.

    Attributes
    ----------
    address
        The address without a fragment and without a slash at the end of its path.
    path
        Path in the address.

    Raises
    ------
    StackError
        If no installed package can read such an address.
    """

    def __init__(self, address: str) -> None:
        self.address, self.path = _tidy(address), address_path(address)
        self._given_up_at = -math.inf
        cache_gigabytes()  # raises the error of an invalid setting before anything is read
        try:
            self._files = _files(self.address)
        except (ImportError, ValueError) as error:
            problem = _NEEDED if isinstance(error, ImportError) else f"cannot be reached ({error}); check the address"
            raise StackError(f"{address} {problem}.") from error

    def at(self, path: str) -> str:
        """Return the address of a path under this one."""
        if not path:
            return self.address
        # The path goes before the query, which may hold a signature; elsewhere, a question mark is part of a file's
        # name.
        before, mark, query = self.address.partition("?") if _is_http(self.address) else (self.address, "", "")
        return f"{before}/{path}{mark}{query}"

    def read(self, path: str = "") -> bytes | None:
        """Return a small file such as metadata, always from the server; None if it does not exist."""
        return self._try(partial(self._files.read, path, MOST_METADATA_BYTES), path)

    def holds_any(self, names: Iterable[str]) -> bool:
        """Whether one of several small files exists and can be read.

        A refusal is no answer: buckets that cannot be listed refuse access to files that do not exist. Neither is a web
        page: some sites send one for any path.
        """
        for name in names:
            with suppress(AccessError):
                if (data := self.read(name)) is not None and not is_page(data):
                    return True
        return False

    def read_cached(self, path: str, start: int | None, stop: int | None, version: str) -> bytes | None:
        """Return a file or a range of it, from the cache if it has this version; None if the file does not exist."""
        stored, part = _cache(), slice(start, stop)
        key, whole = self._key(path, start, stop, version), self._key(path, None, None, version)
        found = stored.get(key)
        if found is not None:
            return found
        if start is None:
            found = self._try(partial(self._files.read, path, _MOST_VALUE_BYTES), path)
        elif (all_of_it := stored.get(whole)) is not None:
            return all_of_it[part]
        else:
            most = _MOST_VALUE_BYTES
            sent = self._try(partial(self._files.read_part, path, start, stop, most), path)
            if sent is not None and sent.is_whole:  # this server would send the whole file again for the next part
                stored.set(whole, sent.data)
                return sent.data[part]
            found = None if sent is None else sent.data
        if found is not None:
            stored.set(key, found)
        return found

    def _key(self, path: str, start: int | None, stop: int | None, version: str) -> str:
        return "\n".join([self.at(path), str(start), str(stop), version])

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Return a range of a file that existed when it was opened.

        Raises
        ------
        StackError
            If the file cannot be read, or is shorter now.
        """
        try:
            data = self._try(partial(self._files.read_range, path, start, stop), path)
        except NoRangesError as error:
            raise StackError(
                f"{self.at(path)} is on a server that sends no parts of a file; download it and open the copy."
            ) from error
        if data is None or len(data) != stop - start:
            raise StackError(f"{self.at(path)} has changed since the stack was opened; open the stack again.")
        return data

    def names(self, path: str = "") -> list[str]:
        """Return the names in a folder; an empty list if it cannot be listed."""
        return self._try(partial(self._files.names, path), path) or []

    def file(self, path: str = "") -> RemoteFile:
        """Return one file, for reading by ranges.

        Raises
        ------
        StackError
            If the file does not exist, or the server does not state its size.
        """
        found = self._try(partial(self._files.describe, path), path)
        if found is None:
            raise StackError(f"There is nothing at {self.at(path)}; check the address.")
        size, version = found
        if size is None:
            raise StackError(f"The server of {self.at(path)} does not state its size; download it and open the copy.")
        return RemoteFile(self, path, size, version or _this_session())

    def _try(self, ask: Callable[[], T], path: str) -> T | None:
        """Call `ask`, again after pauses if the network fails or the server is busy; None if the file is missing."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            # Once a file was given up, the work that needed it fails: pauses for each of the hundreds of others that it
            # asked for as well would only delay the message.
            if attempt and time.monotonic() - self._given_up_at > _HURRY_S:
                time.sleep(_PAUSE_S * 2**attempt)
            try:
                return ask()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            except PermissionError as error:
                raise AccessError(
                    f"{self.at(path)} is refused by its server ({reason_of(error)}); check the address, and whether it "
                    "is open to everyone."
                ) from error
            except _network_errors() as error:
                reason = reason_of(error)
        self._given_up_at = time.monotonic()
        raise StackError(
            f"{self.at(path)} could not be read in {_ATTEMPTS} attempts ({reason}); check the network and try again."
        )


class RemoteFile:
    """One file at an address, read in blocks that are cached on disk.

    Attributes
    ----------
    size
        Size of the file in bytes.
    """

    def __init__(self, remote: Remote, path: str, size: int, version: str) -> None:
        self._remote, self._path, self.size = remote, path, size
        self._version = f"{version} {size}"

    def __str__(self) -> str:
        return self._remote.at(self._path)

    @property
    def name(self) -> str:
        """Last part of the file's path."""
        return self._remote.path.joinpath(self._path).name

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes of a half-open range, which ends at the end of the file at the latest.

        Raises
        ------
        StackError
            If all attempts to read them fail, or the file is shorter now.
        """
        wanted = range(start // _BLOCK, -(-min(stop, self.size) // _BLOCK))
        blocks = {one: kept for one in wanted if (kept := _cache().get(self._key(one))) is not None}
        for first, last in _runs([one for one in wanted if one not in blocks]):
            data = self._remote.read_range(self._path, first * _BLOCK, min(last * _BLOCK, self.size))
            for one in range(first, last):
                blocks[one] = data[(one - first) * _BLOCK : (one - first + 1) * _BLOCK]
                _cache().set(self._key(one), blocks[one])
        data = b"".join(blocks[one] for one in wanted)
        skipped = start - start // _BLOCK * _BLOCK
        return data[skipped : skipped + stop - start]

    def _key(self, block: int) -> str:
        return "\n".join([str(self), str(block), self._version])

    def open(self) -> io.BufferedReader:
        """Return a file object that reads from this file."""
        return io.BufferedReader(_Reader(self))


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the half-open runs of consecutive numbers, each of which needs one request."""
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


class _OtherFiles:
    """Files under an address of a protocol other than http, read by fsspec."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs

        self._files, root = url_to_fs(address, **_options(address))
        self._root = root.rstrip("/")
        # Only asynchronous file systems of fsspec accept a time limit.
        self._limit = {"timeout": _MOST_S} if self._files.async_impl else {}

    def read(self, path: str, most_bytes: int) -> bytes:
        data: bytes = self._files.cat_file(self._under(path), **self._limit)
        if len(data) > most_bytes:
            raise StackError(f"{self._under(path)} has more than {most_bytes} bytes; check that it is the right file.")
        return data

    def read_part(self, path: str, start: int, stop: int | None, most_bytes: int) -> Part:
        return Part(self._files.cat_file(self._under(path), start=start, end=stop, **self._limit))

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        return self.read_part(path, start, stop, stop - start).data

    def describe(self, path: str) -> tuple[int | None, str]:
        found = self._files.info(self._under(path), **self._limit)
        size = found.get("size")
        version = found.get("ETag") or found.get("mtime") or found.get("LastModified") or ""
        return size if isinstance(size, int) else None, str(version)

    def names(self, path: str) -> list[str]:
        listed = self._files.ls(self._under(path), detail=False, **self._limit)
        return [one.rstrip("/").rpartition("/")[2] for one in listed]

    def _under(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _is_http(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _files(address: str) -> Files:
    return HttpFiles(address) if _is_http(address) else _OtherFiles(address)


def _tidy(address: str) -> str:
    """Return an address with its scheme in lower case, without a slash at its end; a web address without fragment."""
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        return f"{scheme}://{rest.rstrip('/')}"
    before, mark, query = rest.partition("#")[0].partition("?")
    return f"{scheme}://{before.rstrip('/')}{mark}{query}"


def _options(address: str) -> dict[str, Any]:
    if address.startswith("s3:"):
        # The scrolls' buckets are public, and unsigned requests work without credentials; these variables set some.
        is_public = not any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"))
        return {"anon": is_public, "config_kwargs": {"connect_timeout": TIMEOUT_S, "read_timeout": TIMEOUT_S}}
    return {}


@cache
def _this_session() -> str:
    """Return a version for files whose server states none: cached blocks are then used by this process alone."""
    return f"process {os.getpid()} {time.time_ns()}"


@cache
def _network_errors() -> tuple[type[BaseException], ...]:
    # The libraries may be missing: http needs no botocore, and s3 no aiohttp of ours.
    errors: list[type[BaseException]] = [OSError, TimeoutError, ValueError, EOFError]
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


def _cache() -> CheckedCache:
    """Return the cache on disk, which the process opens once."""
    with _opening:
        return _opened_cache()


@cache
def _opened_cache() -> CheckedCache:
    return CheckedCache(user_cache_path("napari-ink") / "remote", cache_gigabytes())
