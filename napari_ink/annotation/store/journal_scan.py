"""Scanning a journal: all intact records, and the parts that are damaged.

The length of a damaged record is unknown, so the scan searches for the next one: every head begins with the same ten
bytes, and a checksum over head and body confirms a record. One flipped bit therefore costs at most one record, and none
if it only changed a length.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeGuard

from napari_ink.annotation.store.edits import CHUNK_PX, PLANES, EditHeader

MAGIC = b"napari-ink journal 1\n"
PREFIX = struct.Struct("<III")
Kind = Literal["edit", "undo", "redo"]

_HEAD_BEGIN = b'{"number":'
_MOST_HEAD_BYTES = 16 * 2**20
_BLOCK_BYTES = 2**20
_LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the journal, without the values.

    Attributes
    ----------
    number
        Its number, from 1.
    kind
        Edit, undo or redo.
    header
        Header of the edit that is made, undone or redone; an empty one if that edit's record is lost.
    of
        Number of the edit that is undone or redone; for an edit its own number.
    offset, size
        Place of the body in the file; the size is 0 if it was dropped to save space.
    """

    number: int
    kind: Kind
    header: EditHeader
    of: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of the file without an intact record, from byte `start` to `end`.

    Attributes
    ----------
    is_torn
        Whether it is a half-written end, left by a killed program, that held nothing complete.
    is_length
        Whether only the record's lengths are wrong: nothing is lost, and the record is yielded next.
    """

    start: int
    end: int
    is_torn: bool = False
    is_length: bool = False


class JournalScan:
    """One pass through a journal, yielding records and damaged parts in order.

    Parameters
    ----------
    file
        Journal file, open for reading bytes.
    size
        Its size in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._headers: dict[int, EditHeader] = {}
        # Limit on the bytes read in search of records: a file that imitates millions of heads must not take for ever.
        self._search_bytes = 4 * size + 64 * 2**20

    def __iter__(self) -> Iterator[Record | Damage]:
        place = len(MAGIC) if self._at(0, len(MAGIC)) == MAGIC else 0
        while place < self._size:
            found = self._record_at(place)
            if found is None:
                end = self._next_record(place)
                found = self._record_of_wrong_lengths(place, end)
                yield Damage(place, end, found is None and self._is_torn(place, end), is_length=found is not None)
                place = end
            else:
                place = found.offset + found.size
            if found is not None:
                self._headers[found.of] = found.header
                yield found

    def _at(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(size)

    def _record_at(self, place: int) -> Record | None:
        """Return the intact record that begins at a byte, or None if there is none."""
        prefix = self._at(place, PREFIX.size)
        if len(prefix) < PREFIX.size:
            return None
        head_size, body_size, check = PREFIX.unpack(prefix)
        offset = place + PREFIX.size + head_size
        if head_size > _MOST_HEAD_BYTES or offset + body_size > self._size:
            return None
        head = self._file.read(head_size)
        if not head.startswith(_HEAD_BEGIN) or self._check_sum(head, body_size) != check:
            return None
        return self._parsed(head, offset, body_size)

    def _check_sum(self, head: bytes, body_size: int) -> int:
        """Return the checksum of a head and of the body that follows in the file, read in pieces."""
        check, left = zlib.crc32(head), body_size
        while left and (piece := self._file.read(min(left, _BLOCK_BYTES))):
            check, left = zlib.crc32(piece, check), left - len(piece)
        return check

    def _next_record(self, place: int) -> int:
        """Return the start of the next intact record after `place`, or the end of the file if there is none."""
        for head_at in self._heads_after(place + PREFIX.size + 1):
            begin = head_at - PREFIX.size
            head_size, body_size, _ = PREFIX.unpack(self._at(begin, PREFIX.size))
            self._search_bytes -= min(head_size + body_size, self._size)
            if self._search_bytes < 0:
                break
            if self._record_at(begin) is not None:
                return begin
        return self._size

    def _heads_after(self, place: int) -> Iterator[int]:
        """Yield every byte from `place` on at which a head may begin."""
        # Blocks overlap, so that a mark across their border is found.
        overlap = len(_HEAD_BEGIN) - 1
        for start in range(place, self._size, _BLOCK_BYTES):
            block = self._at(start, _BLOCK_BYTES + overlap)
            at = block.find(_HEAD_BEGIN)
            while at >= 0:
                yield start + at
                at = block.find(_HEAD_BEGIN, at + 1)

    def _record_of_wrong_lengths(self, place: int, end: int) -> Record | None:
        """Return the record that fills a damaged part, if only its lengths are wrong."""
        if end - place <= PREFIX.size:  # stray bytes before the next record
            return None
        prefix = self._at(place, PREFIX.size)
        text = self._file.read(min(end - place - PREFIX.size, _MOST_HEAD_BYTES))
        if not text.startswith(_HEAD_BEGIN):
            return None
        # The head is JSON, so its end can be found without the stored length; the body fills the rest.
        try:
            _, head_size = json.JSONDecoder().raw_decode(text.decode("latin-1"))
        except (ValueError, RecursionError):
            return None
        offset = place + PREFIX.size + head_size
        self._file.seek(offset)
        whole = self._check_sum(text[:head_size], end - offset) == PREFIX.unpack(prefix)[2]
        return self._parsed(text[:head_size], offset, end - offset) if whole else None

    def _is_torn(self, place: int, end: int) -> bool:
        """Return whether a damaged part is the beginning of a record that the end of the file cuts off."""
        if end < self._size:
            return False
        data = self._at(place, PREFIX.size + len(_HEAD_BEGIN))
        if place == 0 and MAGIC.startswith(data[: len(MAGIC)]):
            return self._size < len(MAGIC)
        if len(data) < PREFIX.size or not any(data):
            return place > 0 and self._is_prefix_or_zero(place)
        head_size, body_size, _ = PREFIX.unpack(data[: PREFIX.size])
        begins_as_head = _HEAD_BEGIN.startswith(data[PREFIX.size :])
        return begins_as_head and place + PREFIX.size + head_size + body_size > self._size

    def _is_prefix_or_zero(self, place: int) -> bool:
        """Return whether only part of a prefix is left, or only zeros, as in a file that grew before it was filled."""
        if self._size - place < PREFIX.size:
            return True
        starts = range(place, self._size, _BLOCK_BYTES)
        return not any(any(self._at(start, _BLOCK_BYTES)) for start in starts)

    def _parsed(self, head: bytes, offset: int, size: int) -> Record | None:
        """Return the record that a head describes; None if the head is invalid."""
        try:
            fields: Any = json.loads(head)
        except (ValueError, RecursionError):
            return None
        if not isinstance(fields, dict):
            return None
        number, kind, of = fields.get("number"), fields.get("kind"), fields.get("of")
        if not _is_whole_number(number):
            return None
        if kind == "edit":
            header = _edit_header(number, fields)
            return None if header is None else Record(number, "edit", header, number, offset, size)
        if kind in ("undo", "redo") and _is_whole_number(of):
            return Record(number, kind, self._headers.get(of, EditHeader(of, "", "", "", ())), of, offset, size)
        return None


def _edit_header(number: int, fields: dict[str, Any]) -> EditHeader | None:
    tool, author, at, bounds = (fields.get(name) for name in ("tool", "author", "at", "bounds"))
    if not (isinstance(tool, str) and isinstance(author, str) and isinstance(at, str) and isinstance(bounds, list)):
        return None
    if not all(_is_block(one) for one in bounds):
        return None
    return EditHeader(number, tool, author, at, tuple((plane, y0, y1, x0, x1) for plane, y0, y1, x0, x1 in bounds))


def _is_block(bounds: object) -> bool:
    """Return whether this is a plane and ``y0, y1, x0, x1`` of a block no larger than a chunk."""
    if not isinstance(bounds, list) or len(bounds) != 5 or bounds[0] not in PLANES:
        return False
    sides = bounds[1:]
    if not all(isinstance(one, int) and 0 <= one < _LARGEST_NUMBER for one in sides):
        return False
    return all(0 < end - begin <= CHUNK_PX for begin, end in (sides[:2], sides[2:]))


def _is_whole_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST_NUMBER
