"""Files on web servers, read with limits on bytes and time that hold for any server."""

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
"""Longest wait, in seconds, for a connection, an answer, or the next byte."""

_SLOWEST_BYTES_PER_S = 500  # low, since many requests may share one slow connection
_MOST_METADATA_S = 60.0
_TRY_AGAIN = frozenset({408, 425, 429})
_SAFE = "/:@!$&'()*+,;=~%"


class AccessError(StackError):
    """The server refuses access, so that retrying is useless."""


class NoRangesError(StackError):
    """The server sends files only as a whole."""


@dataclass(frozen=True)
class Part:
    """A server's answer to a request for a range.

    Attributes
    ----------
    data
        Bytes that the server sent.
    is_whole
        Whether they are the whole file, although a range was requested.
    """

    data: bytes
    is_whole: bool = False


class HttpFiles:
    """Files under an address of a web server; the address's query, such as a signature, is part of every request.

    Parameters
    ----------
    address
        The address; its fragment is dropped.

    Raises
    ------
    ValueError
        If the address names no server.
    """

    def __init__(self, address: str) -> None:
        import aiohttp  # noqa: F401  # a missing package raises here, before anything is read
        import fsspec  # noqa: F401

        self._parts = urlsplit(address)
        if not self._parts.hostname:
            raise ValueError("it names no server")
        _ = self._parts.port  # raises a ValueError if it is not a number
        self._url("")

    def read(self, path: str, most_bytes: int) -> bytes:
        """Return a whole file."""
        return _wait(self._read(path, None, most_bytes)).data

    def read_part(self, path: str, start: int, stop: int | None, most_bytes: int) -> Part:
        """Return a range of a file, counted from its end if `start` is negative; some servers send the whole file."""
        asked = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if stop is None else stop - 1}"
        return _wait(self._read(path, asked, most_bytes))

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Return a range of a file.

        Raises
        ------
        NoRangesError
            If the server sends the whole file, and this is larger.
        """
        return _wait(self._read(path, f"bytes={start}-{stop - 1}", stop - start, is_exact=True)).data

    def describe(self, path: str) -> tuple[int | None, str]:
        """Return a file's size, None if the server does not state it, and its ETag or date."""
        return _wait(self._describe(path))

    def names(self, path: str) -> list[str]:
        """Return the names of a folder's files, from the links on the page that web servers send as a listing."""
        return _wait(self._names(path))

    async def _read(self, path: str, asked: str | None, most_bytes: int, is_exact: bool = False) -> Part:
        async with self._answer(path, {"Range": asked} if asked else {}) as answer:
            if answer.status == 416:  # the range begins after the end of the file
                return Part(b"")
            is_whole = asked is not None and answer.status != 206
            if is_whole and is_exact and answer.content_length != most_bytes:
                raise NoRangesError(f"{answer.url} is on a server that sends no parts of a file; open a copy of it.")
            return Part(await _body(answer, most_bytes), is_whole)

    async def _describe(self, path: str) -> tuple[int | None, str]:
        # GET one byte instead of HEAD, which addresses signed for reading refuse.
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
        """Send a request, and yield the answer when its headers are here; its body is not read yet."""
        import aiohttp

        session = await _session()
        url = self._url(path)
        # Ranges count bytes as sent, so a compressed answer would give other bytes than the file's.
        own = {**headers, "Accept-Encoding": "identity"} if headers else None
        asking = session.get(url, headers=own, timeout=_limits())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await asking
        except TimeoutError as error:
            raise TimeoutError(f"no answer in {TIMEOUT_S:.0f} s") from error
        except aiohttp.TooManyRedirects as error:  # its text names no reason
            raise StackError(f"{url} leads from address to address without end; check the address.") from error
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
        # A signature is only valid for exactly the characters that were signed, so yarl must not normalize them.
        return URL(whole.geturl(), encoded=split.netloc.isascii())


def _quoted(text: str, safe: str) -> str:
    """Return text with characters quoted that addresses must not contain; existing quotes are kept."""
    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text), safe=safe)


def _check_status(answer: aiohttp.ClientResponse, url: str) -> None:
    status, answered = answer.status, f"{answer.status} {answer.reason or ''}".strip()
    if status in (404, 410):
        raise FileNotFoundError(url)
    if status == 401:
        raise AccessError(f"{url} asks for a login ({answered}); open a copy of it, or an address that needs none.")
    if status == 403:
        raise AccessError(
            f"{url} is refused by its server ({answered}); check the address, and whether its signature has expired."
        )
    if status >= 500 or status in _TRY_AGAIN:
        raise OSError(answered)
    # aiohttp follows redirections itself, so any that arrive here lead nowhere.
    if status >= 300 and status != 416:
        raise StackError(f"The server answered {answered} for {url}; check the address.")


async def _body(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Return the body of an answer; raise if it is too large, or arrives too slowly for any real connection."""
    clock = asyncio.get_running_loop().time
    began, data = clock(), bytearray()
    async for part in answer.content.iter_any():
        data += part
        if len(data) > most_bytes:
            raise StackError(f"{answer.url} sends more than {most_bytes} bytes; check that it is the right address.")
        if (seconds := clock() - began) > TIMEOUT_S + _patience(len(data), most_bytes):
            raise TimeoutError(f"only {len(data)} bytes in {seconds:.0f} s")
    return bytes(data)


def _patience(received: int, most_bytes: int) -> float:
    """Return the seconds that a number of bytes may take; metadata get a fixed limit in addition."""
    allowed = received / _SLOWEST_BYTES_PER_S
    return min(allowed, _MOST_METADATA_S) if most_bytes <= MOST_METADATA_BYTES else allowed


class _Links(HTMLParser):
    """A parser that collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _folder(path: str) -> str:
    return unquote(path).rstrip("/") + "/"


def _name_in(folders: set[str], link: str) -> str:
    """Return the name of a link's target, if it is in one of the folders; else an empty text."""
    try:
        path = unquote(urlsplit(link).path)
    except ValueError:
        return ""
    if path.startswith("/"):
        path = next((path.removeprefix(folder) for folder in folders if path.startswith(folder)), "")
    name = path.removeprefix("./").rstrip("/")
    return "" if "/" in name or name in (".", "..") else name


@cache
def _sessions() -> dict[str, aiohttp.ClientSession]:
    atexit.register(_close)
    return {}


async def _session() -> aiohttp.ClientSession:
    """Return the process's only session, which shares connections between requests."""
    import aiohttp

    sessions = _sessions()
    # Created here and not at import: a session belongs to the event loop that creates it.
    if "one" not in sessions:
        sessions["one"] = aiohttp.ClientSession()
    return sessions["one"]


def _limits() -> aiohttp.ClientTimeout:
    """Return time limits for single steps; `_body` limits the total, depending on the bytes received."""
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)


def _close() -> None:
    if (session := _sessions().pop("one", None)) is not None:
        _wait(session.close())


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on fsspec's event loop, which has its own thread, and wait for the result."""
    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(work, get_loop()).result()
