"""Check of a TIFF file's directories, one a page, before tifffile parses them.

A directory states the offset of the next one, and the number of values of each tag. A damaged file may contain a loop,
or state tables that need gigabytes once they are parsed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import tifffile

from napari_ink.decoding import check_regular
from napari_ink.errors import StackError
from napari_ink.stack.sizes import MOST_LAYERS

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

RESTORE = "replace it with the original file"
_MOST_PAGES = 8 * MOST_LAYERS  # each layer may come with overviews and a mask
_MOST_TAGS = 4096
_MOST_NUMBERS, _MOST_BYTES = 2**22, 2**26  # in a table of strips or tiles; in a text or a program's private data
_OF_BYTES = (1, 2, 6, 7)  # types BYTE, ASCII, SBYTE and UNDEFINED
# By version (42 is TIFF, 43 BigTIFF): position of the first offset; and struct formats of the number of tags, an
# offset, and an entry's tag, type and count.
_FIRST = {42: 4, 43: 8}
_LAYOUTS = {42: ("H", "I", "HHI4x"), 43: ("Q", "Q", "HHQ8x")}


@contextmanager
def open_tiff(path: Path | RemoteFile) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file after a check of its directories.

    Raises
    ------
    StackError
        If the directories form a loop, are too many, or state tables larger than any image needs.
    Exception
        Any error that tifffile raises for a damaged file.
    """
    with opened(path) as file:
        _check_directories(path, file)
    with tifffile.TiffFile(path if isinstance(path, Path) else path.open()) as found:
        yield found


def opened(path: Path | RemoteFile) -> Any:
    """Open a local or remote file for reading bytes.

    Raises
    ------
    StackError
        If it is a pipe or a device, which may never end.
    """
    if isinstance(path, Path):
        check_regular(path, StackError)
    return path.open("rb") if isinstance(path, Path) else path.open()


def _check_directories(path: Path | RemoteFile, file: BinaryIO) -> None:
    """Follow the chain of directories; leave unreadable ones to tifffile, whose errors are more precise."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return
    (version,) = struct.unpack_from(order + "H", head, 2)
    if version not in _LAYOUTS:
        return
    number, place, entry = (order + layout for layout in _LAYOUTS[version])
    (offset,) = struct.unpack_from(place, head, _FIRST[version])
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise StackError(f"{path} is damaged: page {len(seen)} is followed by an earlier one; {RESTORE}.")
        seen.add(offset)
        if len(seen) > _MOST_PAGES:
            raise StackError(f"{path} has more than {_MOST_PAGES} pages; save the layers of one segment by themselves.")
        file.seek(offset)
        (tags,) = _unpacked(number, file) or (0,)
        if not 0 < tags <= _MOST_TAGS:
            return
        for tag, kind, count in struct.iter_unpack(entry, _whole(file.read(tags * struct.calcsize(entry)), entry)):
            if count > (_MOST_BYTES if kind in _OF_BYTES else _MOST_NUMBERS):
                raise StackError(
                    f"{path} states {count} values for tag {tag} of page {len(seen)}, more than any image needs; "
                    f"{RESTORE}."
                )
        (offset,) = _unpacked(place, file) or (0,)


def _unpacked(layout: str, file: BinaryIO) -> tuple[int, ...] | None:
    data = file.read(struct.calcsize(layout))
    return struct.unpack(layout, data) if len(data) == struct.calcsize(layout) else None


def _whole(data: bytes, layout: str) -> bytes:
    """Return data without the incomplete entry at the end of a truncated file."""
    return data[: len(data) - len(data) % struct.calcsize(layout)]
