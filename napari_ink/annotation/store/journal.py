"""The journal: a file with one record for each change, in order; records are appended and never altered.

A record consists of the lengths of its head and body, a checksum over both, the head (JSON: author, tool, time, place)
and the body (compressed values before and after). A record that was being written when the program was killed fails its
checksum and is cut off. A record that is damaged later is moved to a separate file, and the records after it stay;
numbers have no gaps, so a missing number shows that a record is lost.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Iterable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_ink.annotation.store.edits import Change, Edit, EditHeader
from napari_ink.annotation.store.journal_scan import MAGIC, PREFIX, Damage, JournalScan, Record
from napari_ink.annotation.store.journal_scan import Kind as Kind
from napari_ink.decoding import check_regular
from napari_ink.durable import replacing_file, sync
from napari_ink.errors import ProjectError

_PIECE_BYTES = 2**20


class Journal:
    """A journal file.

    Parameters
    ----------
    path
        The file; created with the first record.

    Attributes
    ----------
    damage : list of Damage
        Damaged parts that were found when the records were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[Damage] = []
        self._end = 0

    def records(self) -> list[Record]:
        """Return all intact records in order, and find the place for the next one.

        Raises
        ------
        ProjectError
            If the path is not a regular file, or cannot be accessed.
        OSError
            If the file cannot be read.
        """
        self.damage, self._end = [], 0
        if not self.path.exists():
            return []
        size = check_regular(self.path, ProjectError)
        with self.path.open("rb") as file:
            found = list(JournalScan(file, size))
        self.damage = [one for one in found if isinstance(one, Damage)]
        self._end = size
        # The next record overwrites a half-written one; other damage stays until `mend`.
        if self.damage and self.damage[-1].is_torn:
            self._end = self.damage[-1].start
        return [one for one in found if isinstance(one, Record)]

    @property
    def lost(self) -> list[Damage]:
        """Parts of the file whose records are lost."""
        return [one for one in self.damage if not one.is_torn and not one.is_length]

    @property
    def has_lost_end(self) -> bool:
        """Whether the last record of the file is lost."""
        return bool(self.lost) and self.lost[-1].end >= self._end

    def mend(self, records: list[Record], keep_torn: bool = False) -> Path | None:
        """Cut off a half-written end, and move damaged parts to a separate file.

        Offsets may change: read the records again afterwards.

        Parameters
        ----------
        records
            All intact records.
        keep_torn
            Whether the half-written end was complete once, so that it is kept as well.

        Returns
        -------
        Path or None
            File that holds the damaged parts; None if there are none.

        Raises
        ------
        OSError
            If a file cannot be written; the journal is unchanged.
        """
        aside = [one for one in self.damage if not one.is_length and (keep_torn or not one.is_torn)]
        kept = self._set_aside(aside) if aside else None
        if any(not one.is_torn for one in self.damage):
            self._write_anew(records, {record.number for record in records})
        elif self.damage:
            with self.path.open("r+b") as file:
                file.truncate(self._end)
                os.fsync(file.fileno())
        return kept

    def append(self, entries: list[tuple[int, Kind, Edit]]) -> list[tuple[int, int]]:
        """Append records and return the offset and size of each body; a killed program does not lose them.

        Raises
        ------
        OSError
            If the records cannot be written; the journal is unchanged.
        """
        is_new = self._end == 0
        places: list[tuple[int, int]] = []
        with self.path.open("wb" if is_new else "r+b") as file:
            if is_new:
                file.write(MAGIC)
                self._end = file.tell()
            file.seek(self._end)
            try:
                for number, kind, edit in entries:
                    head, body = _head(number, kind, edit), _body(edit) if kind == "edit" else b""
                    file.write(PREFIX.pack(len(head), len(body), zlib.crc32(body, zlib.crc32(head))))
                    file.write(head)
                    places.append((file.tell(), len(body)))
                    file.write(body)
                file.flush()  # to the system, which survives a killed program; `sync` is for a failing machine
            except OSError:
                _take_back(file, self._end)
                raise
            self._end = file.tell()
        return places

    def sync(self) -> None:
        """Sync the records to disk, so that they survive a crash of the machine.

        Raises
        ------
        OSError
            If the file cannot be synced.
        """
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        sync(self.path.parent)

    def read(self, record_header: EditHeader, offset: int, size: int) -> Edit:
        """Return an edit with its values, read from the file.

        Raises
        ------
        OSError
            If the file cannot be read, or is damaged there.
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
        """Size of the file in bytes."""
        return self._end

    def drop_oldest(self, records: list[Record], keep_bytes: int) -> None:
        """Rewrite the journal without the values of its oldest edits; their heads stay.

        Offsets change: read the records again afterwards.
        """
        kept, total = set(), 0
        for record in reversed(records):
            total += record.size
            if total > keep_bytes:
                break
            kept.add(record.number)
        self._write_anew(records, kept)

    def _write_anew(self, records: Iterable[Record], kept: Collection[int]) -> None:
        """Replace the journal by one with all records, and with the values of those in `kept`."""
        # The old file is closed before it is replaced, as Windows asks.
        with replacing_file(self.path) as new, self.path.open("rb") as old:
            new.write(MAGIC)
            for record in records:
                body = b""
                if record.number in kept and record.size:
                    old.seek(record.offset)
                    body = old.read(record.size)
                head = _head_of(record.number, record.kind, record.of, record.header)
                new.write(PREFIX.pack(len(head), len(body), zlib.crc32(body, zlib.crc32(head))))
                new.write(head)
                new.write(body)

    def _set_aside(self, damage: list[Damage]) -> Path:
        """Copy damaged parts to a new file, each after a line with its place, and return that file."""
        names = (self.path.with_name(f"{self.path.name}.damaged-{number}") for number in count(1))
        kept = next(path for path in names if not os.path.lexists(path))
        with replacing_file(kept) as file, self.path.open("rb") as journal:
            for one in damage:
                file.write(f"bytes {one.start} to {one.end} of {self.path.name}:\n".encode())
                journal.seek(one.start)
                _copy(journal, file, one.end - one.start)
                file.write(b"\n")
        return kept


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size and (piece := source.read(min(size, _PIECE_BYTES))):
        target.write(piece)
        size -= len(piece)


def _take_back(file: BinaryIO, end: int) -> None:
    # If truncating fails too, half a record stays: the next record overwrites it, and opening cuts it off.
    try:
        file.truncate(end)
    except OSError:
        return


def _head(number: int, kind: Kind, edit: Edit) -> bytes:
    return _head_of(number, kind, edit.number, edit.header)


def _head_of(number: int, kind: Kind, of: int, header: EditHeader) -> bytes:
    fields: dict[str, Any] = {"number": number, "kind": kind}
    if kind == "edit":
        fields |= {"tool": header.tool, "author": header.author, "at": header.at, "bounds": header.bounds}
    else:
        fields |= {"of": of}
    return json.dumps(fields, separators=(",", ":")).encode()


def _body(edit: Edit) -> bytes:
    values = b"".join(np.ascontiguousarray(one).tobytes() for c in edit.changes for one in (c.before, c.after))
    return bytes(_packer().encode(values))


@cache
def _packer() -> Any:
    from numcodecs import Zstd

    return Zstd(level=1)


def _changes(header: EditHeader, body: bytes) -> tuple[Change, ...]:
    sizes = [(y1 - y0) * (x1 - x0) for _, y0, y1, x0, x1 in header.bounds]
    values = np.zeros(2 * sum(sizes), np.uint8)
    _packer().decode(body, values)  # refuses a body that would decode to more, before allocating memory
    changes: list[Change] = []
    place = 0
    for (plane, y0, y1, x0, x1), pixels in zip(header.bounds, sizes, strict=True):
        shape = (y1 - y0, x1 - x0)
        before, after = values[place : place + pixels], values[place + pixels : place + 2 * pixels]
        changes.append(Change(plane, y0, x0, before.reshape(shape), after.reshape(shape)))
        place += 2 * pixels
    return tuple(changes)
