"""Files at an address: http, https, s3 and what else fsspec reaches, with a bounded cache on disk."""

from __future__ import annotations

import io
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
_BLOCK = 2**16
_MOST_VALUE_BYTES = 2**29
_MOST_S = 120.0
_NEEDED = "needs the packages of the extra [remote]; install them with: pip install 'napari-ink[remote]'"


def is_page(data: bytes) -> bool:
    """Whether bytes are a page of a web site rather than metadata."""
    return data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


class Files(Protocol):
    """What is read from under an address, without a second attempt or a cache."""

    def read(self, path: str, most_bytes: int) -> bytes:
        """Read a file whole; `StackError` if it is larger."""
        ...

    def read_part(self, path: str, start: int, stop: int | None, most_bytes: int) -> Part:
        """Read a range of a file, from its end where `start` is below zero; the whole, where a server knows no else."""
        ...

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Read a range of a file; `NoRangesError` where it cannot be read by itself."""
        ...

    def describe(self, path: str) -> tuple[int | None, str]:
        """Return a file's size, if it is known, and what changes with its content."""
        ...

    def names(self, path: str) -> list[str]:
        """Return the names in a folder."""
        ...


class Remote:
    """What lies under an address, read whole or by ranges of bytes, and tried again where a network falters.

    Parameters
    ----------
    address
        The address, such as ``https://host/folder`` or ``s3://bucket/folder``.

    Attributes
    ----------
    address
        Without a slash at the end of its path, and without a fragment.
    path
        The path in it.

    Raises
    ------
    StackError
        If nothing installed reaches such an address.
    """

    def __init__(self, address: str) -> None:
        self.address, self.path = _tidy(address), address_path(address)
        cache_gigabytes()  # a setting that makes no sense is said before anything is read
        try:
            self._files = _files(self.address)
        except (ImportError, ValueError) as error:
            said = _NEEDED if isinstance(error, ImportError) else f"cannot be reached ({error}); check the address"
            raise StackError(f"{address} {said}.") from error

    def at(self, path: str) -> str:
        """Return the address of a path under this one."""
        if not path:
            return self.address
        before, mark, query = self.address.partition("?") if _is_http(self.address) else (self.address, "", "")
        return f"{before}/{path}{mark}{query}"

    def read(self, path: str = "") -> bytes | None:
        """Read a small file whole, such as metadata, and never from the cache; None if it is not there."""
        return self._try(partial(self._files.read, path, MOST_METADATA_BYTES), path)

    def holds_any(self, names: Iterable[str]) -> bool:
        """Whether one of some small files is there, and may be read.

        Where a server refuses one of them it may still hold another: buckets that cannot be listed refuse what is not
        there. A page is no file: some sites answer with one whatever is asked for.
        """
        for name in names:
            with suppress(AccessError):
                if (data := self.read(name)) is not None and not is_page(data):
                    return True
        return False

    def read_cached(self, path: str, start: int | None, stop: int | None, version: str) -> bytes | None:
        """Read a file or a range of it, from the cache if it holds that of this version; None if it is not there."""
        kept, part = _kept(), slice(start, stop)
        key, whole = self._key(path, start, stop, version), self._key(path, None, None, version)
        found = kept.get(key)
        if found is not None:
            return found
        if start is None:
            found = self._try(partial(self._files.read, path, _MOST_VALUE_BYTES), path)
        elif (all_of_it := kept.get(whole)) is not None:
            return all_of_it[part]
        else:
            most = _MOST_VALUE_BYTES
            sent = self._try(partial(self._files.read_part, path, start, stop, most), path)
            if sent is not None and sent.is_whole:  # a plain server, which would send it all for the next part, too
                kept.set(whole, sent.data)
                return sent.data[part]
            found = None if sent is None else sent.data
        if found is not None:
            kept.set(key, found)
        return found

    def _key(self, path: str, start: int | None, stop: int | None, version: str) -> str:
        return "\n".join([self.at(path), str(start), str(stop), version])

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Read a range of a file that is there.

        Raises
        ------
        StackError
            If it cannot be read, or is shorter now.
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
        """Return the names in a folder; none where it cannot be listed."""
        return self._try(partial(self._files.names, path), path) or []

    def file(self, path: str = "") -> RemoteFile:
        """Return one file, to be read by ranges.

        Raises
        ------
        StackError
            If it is not there, or the server says no size.
        """
        found = self._try(partial(self._files.describe, path), path)
        if found is None:
            raise StackError(f"There is nothing at {self.at(path)}; check the address.")
        size, version = found
        if size is None:
            raise StackError(f"{self.at(path)} has no size that its server says; download it and open the copy.")
        return RemoteFile(self, path, size, version or _this_session())

    def _try(self, ask: Callable[[], T], path: str) -> T | None:
        """Ask a few times, with pauses: a network falters, a server is busy. None for what is not there."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
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
        """The last part of its path."""
        return self._remote.path.joinpath(self._path).name

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range.

        Raises
        ------
        StackError
            If the network gives them in no attempt, or the file is not whole any more.
        """
        wanted = range(start // _BLOCK, -(-min(stop, self.size) // _BLOCK))
        blocks = {one: kept for one in wanted if (kept := _kept().get(self._key(one))) is not None}
        for first, last in _runs([one for one in wanted if one not in blocks]):
            data = self._remote.read_range(self._path, first * _BLOCK, min(last * _BLOCK, self.size))
            for one in range(first, last):
                blocks[one] = data[(one - first) * _BLOCK : (one - first + 1) * _BLOCK]
                _kept().set(self._key(one), blocks[one])
        data = b"".join(blocks[one] for one in wanted)
        skipped = start - start // _BLOCK * _BLOCK
        return data[skipped : skipped + stop - start]

    def _key(self, block: int) -> str:
        return "\n".join([str(self), str(block), self._version])

    def open(self) -> io.BufferedReader:
        """Return a file object over it."""
        return io.BufferedReader(_Reader(self))


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


class _OtherFiles:
    """What lies under an address that fsspec reaches by other ways than http."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs

        self._files, root = url_to_fs(address, **_options(address))
        self._root = root.rstrip("/")
        # Only file systems of this kind can be told how long to wait.
        self._limit = {"timeout": _MOST_S} if self._files.async_impl else {}

    def read(self, path: str, most_bytes: int) -> bytes:
        data: bytes = self._files.cat_file(self._under(path), **self._limit)
        if len(data) > most_bytes:
            raise StackError(
                f"{self._under(path)} has more than the {most_bytes} bytes that it may; check that it is the right one."
            )
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
    """Return an address with its scheme in small letters, without a slash at its end and, of the web, a fragment."""
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        return f"{scheme}://{rest.rstrip('/')}"
    before, mark, query = rest.partition("#")[0].partition("?")
    return f"{scheme}://{before.rstrip('/')}{mark}{query}"


def _options(address: str) -> dict[str, Any]:
    if address.startswith("s3:"):
        # The scrolls' buckets are public; who has credentials of their own says so by a profile.
        is_public = not any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"))
        return {"anon": is_public, "config_kwargs": {"connect_timeout": TIMEOUT_S, "read_timeout": TIMEOUT_S}}
    return {}


@cache
def _this_session() -> str:
    """Return what stands for the version of a file where a server does not say it: it holds for this process alone."""
    return f"process {os.getpid()} {time.time_ns()}"


@cache
def _network_errors() -> tuple[type[BaseException], ...]:
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


def _kept() -> CheckedCache:
    """Return the one cache on disk."""
    with _opening:
        return _kept_for_all()


@cache
def _kept_for_all() -> CheckedCache:
    return CheckedCache(user_cache_path("napari-ink") / "remote", cache_gigabytes())
