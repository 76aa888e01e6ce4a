"""The journal: every change in the order it was made, one record each, appended and never altered.

A record is a length of its head and of its body, a check sum over both, the head (JSON: who, what, when, where) and the
body (the values before and after, compressed). A record that was being written when the program was killed fails its
check sum and is cut off.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from napari_ink.annotation.edits import Change, Edit, EditHeader
from napari_ink.syncing import sync

_MAGIC = b"napari-ink journal 1\n"
_PREFIX = struct.Struct("<III")
Kind = Literal["edit", "undo", "redo"]


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the journal, without the values.

    Attributes
    ----------
    number
        Its number, from 1.
    kind
        What was done: an edit, or one taken back or made again.
    header
        Of the edit that this is about.
    of
        The number of the edit that is undone or redone; its own for an edit.
    offset, size
        Where the body lies in the file; a size of 0 when it was dropped to save room.
    """

    number: int
    kind: Kind
    header: EditHeader
    of: int
    offset: int
    size: int


class Journal:
    """A journal file.

    Parameters
    ----------
    path
        The file; made when it is first appended to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = 0

    def records(self) -> Iterator[Record]:
        """Read every whole record in order, and find where the next one is to be appended."""
        headers: dict[int, EditHeader] = {}
        self._end = 0
        if not self.path.exists():
            return
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return
            self._end = file.tell()
            while (found := _read_record(file, size, headers)) is not None:
                self._end = file.tell()
                headers[found.of] = found.header
                yield found

    def cut_torn_end(self) -> None:
        """Remove what was only half written, after all records were read."""
        if self.path.exists() and self.path.stat().st_size > self._end:
            with self.path.open("r+b") as file:
                file.truncate(self._end)
                os.fsync(file.fileno())

    def append(self, entries: list[tuple[int, Kind, Edit]]) -> list[tuple[int, int]]:
        """Write records, which a killed program cannot lose then; returns where the body of each lies: offset and size.

        Raises
        ------
        OSError
            If they cannot be written; the journal is as it was.
        """
        is_new = self._end == 0
        places: list[tuple[int, int]] = []
        with self.path.open("wb" if is_new else "r+b") as file:
            if is_new:
                file.write(_MAGIC)
                self._end = file.tell()
            file.seek(self._end)
            try:
                for number, kind, edit in entries:
                    head, body = _head(number, kind, edit), _body(edit) if kind == "edit" else b""
                    file.write(_PREFIX.pack(len(head), len(body), zlib.crc32(body, zlib.crc32(head))))
                    file.write(head)
                    places.append((file.tell(), len(body)))
                    file.write(body)
                file.flush()
            except OSError:
                _take_back(file, self._end)
                raise
            self._end = file.tell()
        return places

    def sync(self) -> None:
        """Write the records through to the disk, so that a crash of the machine cannot take them either.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        sync(self.path.parent)

    def read(self, record_header: EditHeader, offset: int, size: int) -> Edit:
        """Read an edit's values back.

        Raises
        ------
        OSError
            If the file cannot be read, or holds something else there.
        """
        with self.path.open("rb") as file:
            file.seek(offset)
            body = file.read(size)
        try:
            return Edit(record_header, _changes(record_header, body))
        except (RuntimeError, ValueError) as error:
            raise OSError(f"the journal {self.path} is damaged at byte {offset}") from error

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self._end

    def drop_oldest(self, records: list[Record], keep_bytes: int) -> None:
        """Write the journal anew without the values of its oldest edits, whose heads stay.

        Offsets are other ones afterwards: read the records again.
        """
        kept, total = set(), 0
        for record in reversed(records):
            total += record.size
            if total > keep_bytes:
                break
            kept.add(record.number)
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        with self.path.open("rb") as old, partial.open("wb") as new:
            new.write(_MAGIC)
            for record in records:
                body = b""
                if record.number in kept and record.size:
                    old.seek(record.offset)
                    body = old.read(record.size)
                head = _head_of(record.number, record.kind, record.of, record.header)
                new.write(_PREFIX.pack(len(head), len(body), zlib.crc32(body, zlib.crc32(head))))
                new.write(head)
                new.write(body)
            new.flush()
            os.fsync(new.fileno())
        os.replace(partial, self.path)
        sync(self.path.parent)


def _take_back(file: BinaryIO, end: int) -> None:
    # A full disk may hold half a record now; the next try writes over it, and opening would cut it off.
    try:
        file.truncate(end)
    except OSError:
        return


def _read_record(file: BinaryIO, size: int, headers: dict[int, EditHeader]) -> Record | None:
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    head_size, body_size, check = _PREFIX.unpack(prefix)
    if file.tell() + head_size + body_size > size:
        return None
    head = file.read(head_size)
    offset = file.tell()
    if zlib.crc32(file.read(body_size), zlib.crc32(head)) != check:
        return None
    said: dict[str, Any] = json.loads(head)
    number, kind, of = said["number"], said["kind"], said.get("of", said["number"])
    if kind == "edit":
        bounds = tuple((plane, y0, y1, x0, x1) for plane, y0, y1, x0, x1 in said["bounds"])
        header = EditHeader(number, said["tool"], said["author"], said["at"], bounds)
    else:
        header = headers[of]
    return Record(number, kind, header, of, offset, body_size)


def _head(number: int, kind: Kind, edit: Edit) -> bytes:
    return _head_of(number, kind, edit.number, edit.header)


def _head_of(number: int, kind: Kind, of: int, header: EditHeader) -> bytes:
    said: dict[str, Any] = {"number": number, "kind": kind}
    if kind == "edit":
        said |= {"tool": header.tool, "author": header.author, "at": header.at, "bounds": header.bounds}
    else:
        said |= {"of": of}
    return json.dumps(said, separators=(",", ":")).encode()


def _body(edit: Edit) -> bytes:
    values = b"".join(np.ascontiguousarray(one).tobytes() for c in edit.changes for one in (c.before, c.after))
    return bytes(_packer().encode(values))


@cache
def _packer() -> Any:
    from numcodecs import Zstd

    return Zstd(level=1)


def _changes(header: EditHeader, body: bytes) -> tuple[Change, ...]:
    values = np.frombuffer(_packer().decode(body), np.uint8)
    changes: list[Change] = []
    place = 0
    for plane, y0, y1, x0, x1 in header.bounds:
        shape = (y1 - y0, x1 - x0)
        pixels = shape[0] * shape[1]
        before, after = values[place : place + pixels], values[place + pixels : place + 2 * pixels]
        changes.append(Change(plane, y0, x0, before.reshape(shape), after.reshape(shape)))
        place += 2 * pixels
    return tuple(changes)
