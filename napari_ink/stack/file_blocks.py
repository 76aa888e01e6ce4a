"""Blocks of an uncompressed array in a file, read and written by ordinary system calls.

Memory maps would be simpler, but if a mapped file is truncated, or the disk is full when a mapped page is written, the
operating system kills the process (SIGBUS) and no error message is possible.
"""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_BUFFER_BYTES = 2**23
# Reading whole rows, many at a time, pays off while a row is at most this many times longer than the part wanted.
_WHOLE_ROWS_UP_TO = 24

Values = npt.NDArray[Any]


def read_block(
    file: BinaryIO, stored: np.dtype[Any], offset: int, shape: tuple[int, int, int], block: tuple[slice, slice, slice]
) -> Values:
    """Return a block of a C-ordered array in a file.

    Parameters
    ----------
    file
        The file, open without a buffer.
    stored
        Dtype of the array, with its byte order.
    offset
        Byte at which the array begins.
    shape
        Shape of the array.
    block
        Range to read along each axis; steps must be positive.

    Raises
    ------
    EOFError
        If the file ends before the block does.
    """
    places = [range(*part.indices(length)) for part, length in zip(block, shape, strict=True)]
    out: Values = np.empty([len(one) for one in places], stored)
    if not out.size:
        return out
    layers, rows, columns = places
    row_values = math.prod(shape[1:])
    wanted = columns[-1] + 1 - columns.start
    whole = rows.step == 1 and shape[2] <= wanted * _WHOLE_ROWS_UP_TO
    for layer, z in zip(out, layers, strict=True):
        start = offset + z * row_values * stored.itemsize
        if whole:
            _read_whole_rows(file, start, shape[2], rows, columns, layer)
        else:
            _read_rows(file, start, shape[2], rows, columns, layer)
    return out


def _read_whole_rows(file: BinaryIO, start: int, width: int, rows: range, columns: range, out: Values) -> None:
    """Read whole rows, several at a time, and cut the columns out of them."""
    row_bytes = width * out.itemsize
    at_once = max(_BUFFER_BYTES // row_bytes, 1)
    for first in range(0, len(rows), at_once):
        part = out[first : first + at_once]
        place = start + rows[first] * row_bytes
        if len(columns) == width:
            read_into(file, place, part)
            continue
        buffer: Values = np.empty((len(part), width), out.dtype)
        read_into(file, place, buffer)
        part[...] = buffer[:, columns.start : columns.stop : columns.step]


def _read_rows(file: BinaryIO, start: int, width: int, rows: range, columns: range, out: Values) -> None:
    """Read the wanted part of each row by itself."""
    row: Values = np.empty(columns[-1] + 1 - columns.start, out.dtype)
    for into, y in zip(out, rows, strict=True):
        place = start + (y * width + columns.start) * out.itemsize
        if columns.step == 1:
            read_into(file, place, into)
        else:
            read_into(file, place, row)
            into[...] = row[:: columns.step]


def read_into(file: BinaryIO, place: int, values: Values) -> None:
    """Fill a contiguous array with the bytes of a file from byte `place` on.

    Raises
    ------
    EOFError
        If the file ends before the array is full.
    """
    into = _bytes_of(values)
    file.seek(place)
    while into:
        # An unbuffered file may return fewer bytes than asked for, long before its end.
        got = file.readinto(into)  # type: ignore[attr-defined]
        if not got:
            raise EOFError(f"the file ends at byte {place}")
        place, into = place + got, into[got:]


def write_from(file: BinaryIO, place: int, values: Values) -> None:
    """Write a contiguous array into a file from byte `place` on.

    Raises
    ------
    OSError
        If writing fails; part of the array may be written.
    """
    left = _bytes_of(values)
    file.seek(place)
    while left:
        left = left[file.write(left) :]


def _bytes_of(values: Values) -> memoryview:
    return values.reshape(-1).view(np.uint8).data
