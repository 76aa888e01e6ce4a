"""Read-only local Zarr stores, in a folder or zip archive, that read only regular files of bounded size."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, ZipStore

from napari_ink.decoding import MOST_METADATA_BYTES, check_regular, decoder_errors
from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

ARRAY_METADATA = ("zarr.json", ".zarray")
METADATA = (*ARRAY_METADATA, ".zgroup", ".zattrs", ".zmetadata")
_GROUP = b'{"zarr_format": 2}'  # contents of .zgroup


class ReadStore(LocalStore):
    """A read-only store in a folder, which refuses pipes, devices and files that are too large.

    A folder without metadata counts as a group of format 2, since many programs omit the file `.zgroup`.

    Parameters
    ----------
    root
        Folder of the store.
    read_only
        Ignored; zarr passes it.
    kind
        Class of the error to raise for a file that cannot be read.

    Attributes
    ----------
    most_bytes : int
        Largest size of a stored chunk; set when the chunks' shape is known.
    """

    supports_writes = supports_deletes = supports_partial_writes = False

    def __init__(self, root: Path | str, *, read_only: bool = True, kind: type[BadInputError] = BadInputError) -> None:
        super().__init__(root, read_only=True)
        self.kind = kind
        self.most_bytes = MOST_METADATA_BYTES

    def with_read_only(self, read_only: bool = True) -> ReadStore:
        """Return this store, which is always read-only."""
        return self

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a value or a range of it; None if it does not exist."""
        data = await asyncio.to_thread(self._read, key, byte_range)
        return None if data is None else (prototype or default_buffer_prototype()).buffer.from_bytes(data)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a value or a range of it; None if it does not exist."""
        data = self._read(key, byte_range)
        return None if data is None else (prototype or default_buffer_prototype()).buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several values or ranges."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    def _read(self, key: str, byte_range: ByteRequest | None) -> bytes | None:
        path = self.root / key
        with decoder_errors(self.kind, path, "copy it again"):
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return self._without(path)
            # Checked before opening, since opening a pipe waits until another program writes to it.
            size = check_regular(path, self.kind)
            start, stop = ends_of(byte_range, size)
            most = MOST_METADATA_BYTES if path.name in METADATA else self.most_bytes
            check_length(path, stop - start, most, self.kind)
            with path.open("rb") as file:
                file.seek(start)
                return file.read(stop - start)

    def _without(self, path: Path) -> bytes | None:
        """Return the value of a missing file: a group's metadata where these are omitted, else None."""
        if path.is_symlink():
            raise self.kind(f"{path} is a link to a file that does not exist; copy the file, too.")
        return _GROUP if path.name == ".zgroup" and not self._is_described(path.parent) else None

    def _is_described(self, folder: Path) -> bool:
        return not folder.is_dir() or any((folder / name).exists() for name in ARRAY_METADATA)


class ZippedStore(ZipStore):
    """A read-only store in a zip archive, at its top or in its only folder.

    Parameters
    ----------
    path
        Zip archive of the store.
    kind
        Class of the error to raise for a value that cannot be read.

    Attributes
    ----------
    inside : str
        Folder of the store in the archive, with a slash; empty if it is at the top.
    most_bytes : int
        Largest size of a stored chunk; set when the chunks' shape is known.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if the file is not a zip archive.
    """

    def __init__(self, path: Path, *, kind: type[BadInputError] = BadInputError) -> None:
        super().__init__(path, mode="r")
        self.kind = kind
        self.most_bytes = MOST_METADATA_BYTES
        check_regular(path, kind)
        with decoder_errors(kind, path, "copy it again"):
            self._sync_open()
            self._sizes = {one.filename: one.file_size for one in self._zf.infolist()}
        self.inside = _outer_folder(self._sizes)

    def _get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        name, short = self.inside + key, key.rpartition("/")[2]
        if name not in self._sizes:
            is_bare = short == ".zgroup" and not any(
                name.removesuffix(".zgroup") + one in self._sizes for one in ARRAY_METADATA
            )
            return prototype.buffer.from_bytes(_GROUP) if is_bare else None
        where = f"{self.path}/{name}"
        with decoder_errors(self.kind, where, "copy the archive again"), self._zf.open(name) as file:
            start, stop = ends_of(byte_range, self._sizes[name])
            most = MOST_METADATA_BYTES if short in METADATA else self.most_bytes
            check_length(where, stop - start, most, self.kind)
            if start:
                file.seek(start)
            return prototype.buffer.from_bytes(file.read(stop - start))

    @property
    def names(self) -> Iterable[str]:
        """Names of all files in the archive."""
        return self._sizes

    async def exists(self, key: str) -> bool:
        """Whether a value exists."""
        return self.inside + key in self._sizes

    async def list(self) -> Any:
        """List all keys."""
        for name in self._sizes:
            if name.startswith(self.inside):
                yield name.removeprefix(self.inside)

    async def list_dir(self, prefix: str) -> Any:
        """List the names in a folder."""
        before = self.inside + (prefix.rstrip("/") + "/" if prefix.rstrip("/") else "")
        found = {name.removeprefix(before).partition("/")[0] for name in self._sizes if name.startswith(before)}
        for name in sorted(found - {""}):
            yield name


def ends_of(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    """Return the half-open range of bytes that a request means, for a value of `size` bytes.

    Raises
    ------
    EOFError
        If the range leaves the value.
    """
    start, stop = 0, size
    if isinstance(byte_range, RangeByteRequest):
        start, stop = byte_range.start, byte_range.end
    elif isinstance(byte_range, OffsetByteRequest):
        start = byte_range.offset
    elif isinstance(byte_range, SuffixByteRequest):
        start = size - byte_range.suffix
    if not 0 <= start <= stop <= size:
        raise EOFError(f"it has {size} bytes, and bytes {start} to {stop} are requested")
    return start, stop


def check_length(where: object, length: int, most: int, kind: type[BadInputError]) -> None:
    """Refuse to read more than `most` bytes.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if `length` is larger.
    """
    if length > most:
        raise kind(f"{where} has {length} bytes, and at most {most} are read; check that it is the right file.")


def _outer_folder(names: Iterable[str]) -> str:
    """Return the archive's only folder if the store is in it; empty if it is at the top."""
    tops = {name.partition("/")[0] for name in names if not name.startswith(("__MACOSX", "."))}
    files = set(names)
    if any(name in files for name in METADATA) or len(tops) != 1:
        return ""
    top = tops.pop() + "/"
    return top if any(top + name in files for name in METADATA) else ""
