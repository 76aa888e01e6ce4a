"""Files on web servers: bounded in bytes and in time, whatever a server sends."""

from __future__ import annotations

import asyncio
import atexit
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

from napari_ink.decoding import MOST_METADATA_BYTES
from napari_ink.errors import StackError

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

T = TypeVar("T")

TIMEOUT_S = 10.0
"""How long nothing may come: no connection, no answer, no further byte."""

_SLOWEST_BYTES_PER_S = 500  # many requests may share one slow line
_MOST_METADATA_S = 60.0
_TRY_AGAIN = frozenset({408, 425, 429})
_SAFE = "/:@!$&'()*+,;=~%"


class AccessError(StackError):
    """A server that refuses access; to ask again would change nothing."""


class NoRangesError(StackError):
    """A server that sends files only whole."""


@dataclass(frozen=True)
class Part:
    """What a server sent.

    Attributes
    ----------
    data
        The bytes.
    is_whole
        Whether it is the whole file, although a range was asked for.
    """

    data: bytes
    is_whole: bool = False


class HttpFiles:
    """What lies under an address of a web server. A query, such as a signature, goes along with every request.

    Parameters
    ----------
    address
        Its address; what follows a ``#`` is left out.

    Raises
    ------
    ValueError
        If it is no address of a server.
    """

    def __init__(self, address: str) -> None:
        import aiohttp  # noqa: F401  # what is missing is said before anything is read
        import fsspec  # noqa: F401

        self._parts = urlsplit(address)
        if not self._parts.hostname:
            raise ValueError("it names no server")
        _ = self._parts.port  # a ValueError where it is no number
        self._url("")

    def read(self, path: str, most_bytes: int) -> bytes:
        """Read a file whole."""
        return _wait(self._read(path, None, most_bytes)).data

    def read_part(self, path: str, start: int, stop: int | None, most_bytes: int) -> Part:
        """Read a range of a file, from the end where `start` is below zero; some servers send it whole instead."""
        asked = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if stop is None else stop - 1}"
        return _wait(self._read(path, asked, most_bytes))

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Read a range of a file.

        Raises
        ------
        NoRangesError
            If the server sends the file only whole, and that is more.
        """
        return _wait(self._read(path, f"bytes={start}-{stop - 1}", stop - start, is_exact=True)).data

    def describe(self, path: str) -> tuple[int | None, str]:
        """Return a file's size, if the server says it, and what changes with its content: an ETag or a date."""
        return _wait(self._describe(path))

    def names(self, path: str) -> list[str]:
        """Return what the page at a folder's address links to in that folder, as web servers list folders."""
        return _wait(self._names(path))

    async def _read(self, path: str, asked: str | None, most_bytes: int, is_exact: bool = False) -> Part:
        async with self._answer(path, {"Range": asked} if asked else {}) as answer:
            if answer.status == 416:  # a range behind the end
                return Part(b"")
            is_whole = asked is not None and answer.status != 206
            if is_whole and is_exact and answer.content_length != most_bytes:
                raise NoRangesError(f"{answer.url} is on a server that sends no parts of a file; open a copy of it.")
            return Part(await _body(answer, most_bytes), is_whole)

    async def _describe(self, path: str) -> tuple[int | None, str]:
        # Not HEAD: addresses that are signed for reading refuse it.
        async with self._answer(path, {"Range": "bytes=0-0"}) as answer:
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if answer.status in (206, 416):
                return (int(total) if total.isdecimal() else None), version
            is_packed = answer.headers.get("Content-Encoding", "identity") != "identity"
            return (None if is_packed else answer.content_length), version

    async def _names(self, path: str) -> list[str]:
        async with self._answer(path, {}) as answer:
            page = (await _body(answer, MOST_METADATA_BYTES)).decode(errors="replace")
            folders = {_folder(self._url(path).path), _folder(answer.url.path)}
        links = _Links()
        links.feed(page)
        found = (_name_in(folders, link) for link in links.found)
        return list(dict.fromkeys(name for name in found if name))

    @asynccontextmanager
    async def _answer(self, path: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and give the answer once its headers are here; its body is not read yet."""
        session = await _session()
        url = self._url(path)
        # A range counts the bytes that are sent, so they must be those of the file.
        own = {**headers, "Accept-Encoding": "identity"} if headers else None
        asking = session.get(url, headers=own, timeout=_limits())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await asking
        except TimeoutError as error:
            raise TimeoutError(f"no answer in {TIMEOUT_S:.0f} s") from error
        try:
            _check_status(answer, str(url))
            yield answer
        finally:
            answer.close()

    def _url(self, path: str) -> URL:
        from yarl import URL

        split = self._parts
        inner = f"{split.path.rstrip('/')}/{quote(path, safe='/')}" if path else split.path
        whole = SplitResult(split.scheme, split.netloc, _quoted(inner, _SAFE), _quoted(split.query, _SAFE + "?"), "")
        # A signature holds for the very characters that were signed.
        return URL(whole.geturl(), encoded=split.netloc.isascii())


def _quoted(text: str, safe: str) -> str:
    """Quote what addresses must not hold, and keep what is quoted already."""
    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text), safe=safe)


def _check_status(answer: aiohttp.ClientResponse, url: str) -> None:
    status, said = answer.status, f"{answer.status} {answer.reason or ''}".strip()
    if status in (404, 410):
        raise FileNotFoundError(url)
    if status == 401:
        raise AccessError(f"{url} asks for a login ({said}); open a copy of it, or an address that needs none.")
    if status == 403:
        raise AccessError(
            f"{url} is refused by its server ({said}); check the address, and whether its signature has run out."
        )
    if status >= 500 or status in _TRY_AGAIN:
        raise OSError(said)
    if status >= 300 and status != 416:
        raise StackError(f"{url} is answered by its server with {said}; check the address.")


async def _body(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Read what is sent, as long as it is not more than asked for, and not slower than any line."""
    clock = asyncio.get_running_loop().time
    began, data = clock(), bytearray()
    async for part in answer.content.iter_any():
        data += part
        if len(data) > most_bytes:
            raise StackError(
                f"{answer.url} sends more than the {most_bytes} bytes that it may; check that it is the right address."
            )
        if (seconds := clock() - began) > TIMEOUT_S + _patience(len(data), most_bytes):
            raise TimeoutError(f"only {len(data)} bytes came in {seconds:.0f} s")
    return bytes(data)


def _patience(received: int, most_bytes: int) -> float:
    """Return for how many seconds so many bytes may be on their way: one more of them always buys some time."""
    allowed = received / _SLOWEST_BYTES_PER_S
    return min(allowed, _MOST_METADATA_S) if most_bytes <= MOST_METADATA_BYTES else allowed


class _Links(HTMLParser):
    """Where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _folder(path: str) -> str:
    return unquote(path).rstrip("/") + "/"


def _name_in(folders: set[str], link: str) -> str:
    """Return the name of what a link leads to, if it lies in one of the folders; else an empty text."""
    try:
        path = unquote(urlsplit(link).path)
    except ValueError:
        return ""
    if path.startswith("/"):
        path = next((path.removeprefix(folder) for folder in folders if path.startswith(folder)), "")
    name = path.removeprefix("./").rstrip("/")
    return "" if "/" in name or name in (".", "..") else name


@cache
def _kept_sessions() -> dict[str, aiohttp.ClientSession]:
    atexit.register(_close)
    return {}


async def _session() -> aiohttp.ClientSession:
    """Return the one session of this process, on the loop that runs this."""
    import aiohttp

    kept = _kept_sessions()
    if "one" not in kept:
        kept["one"] = aiohttp.ClientSession()
    return kept["one"]


def _limits() -> aiohttp.ClientTimeout:
    """Return how long each step may take; the whole is bounded where bodies are read, by what has come."""
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)


def _close() -> None:
    if (session := _kept_sessions().pop("one", None)) is not None:
        _wait(session.close())


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run on fsspec's loop, which has a thread of its own, and wait here."""
    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(work, get_loop()).result()
