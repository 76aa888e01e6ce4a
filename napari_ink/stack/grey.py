"""Conversion of stored values to grey values of 8 or 16 bits, and its description for the user."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey, ReadBlock

AS_STORED = (np.dtype(np.uint8), np.dtype(np.uint16))
SCALED = (np.dtype(np.int16), np.dtype(np.float32))
_INT16_ZERO = 32768


def check_dtype(where: object, dtype: np.dtype[Any]) -> None:
    """Refuse a dtype that cannot be converted to grey values.

    Raises
    ------
    StackError
        If it is none of uint8, uint16, int16 and float32.
    """
    if dtype.newbyteorder("=") not in (*AS_STORED, *SCALED):
        raise StackError(f"{where} holds {dtype} values; save it as 8- or 16-bit grey, int16, or float32 from 0 to 1.")


def grey_dtype(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of grey values made from a stored dtype."""
    native = stored.newbyteorder("=")
    return native if native in AS_STORED else np.dtype(np.uint16)


def scaling_in_words(stored: np.dtype[Any], bits: int | None = None) -> str:
    """Return how stored values are converted to grey values, in words; empty if they are not converted."""
    if bits is not None and bits < 8 * stored.itemsize and stored.newbyteorder("=") in AS_STORED:
        return f"{bits}-bit × {np.iinfo(stored).max} / {(1 << bits) - 1}"
    if stored.newbyteorder("=") == np.int16:
        return f"int16 + {_INT16_ZERO}"
    return "float32 × 65535, from 0 to 1" if stored.newbyteorder("=") == np.float32 else ""


def as_grey(where: object, values: Grey) -> Grey:
    """Return stored values as grey values, in this machine's byte order.

    Raises
    ------
    StackError
        If float32 values are outside of 0 to 1, or NaN.
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype == np.int16:
        # Flipping the sign bit adds 32768 without a wider temporary array.
        flipped: Grey = values.view(np.uint16) ^ np.uint16(_INT16_ZERO)
        return flipped
    if values.dtype == np.float32:
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        # Written as a negation, since NaN makes both comparisons false.
        if not (low >= 0 and high <= 1):
            raise StackError(
                f"{where} holds float32 values from {low:g} to {high:g}, and only 0 (black) to 1 (white) mean a "
                "grey; divide them by their white, or save them as 16-bit grey."
            )
        grey: Grey = (values * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
        return grey
    return values


def from_white(values: Grey, bits: int) -> Grey:
    """Return inverted values of an image in which 0 is white, so that bright pixels are high.

    Parameters
    ----------
    values
        Stored values; float32 ones lie between 0 and 1.
    bits
        Bits per value that the file states.
    """
    if values.dtype.kind == "f":
        return np.asarray(1 - values, values.dtype)
    if values.dtype.kind == "u":
        return np.asarray((1 << bits) - 1 - values, values.dtype)
    # The complement inverts bool, and signed integers without overflow.
    return np.asarray(~values)


def _bits_table(dtype: np.dtype[Any], bits: int) -> Grey:
    """Return a table that scales values of `bits` bits to the full range of `dtype`."""
    table: Grey = np.round(np.linspace(0, np.iinfo(dtype).max, 1 << bits)).astype(dtype)
    return table


def reading_grey(where: object, stored: np.dtype[Any], read: ReadBlock, bits: int | None = None) -> ReadBlock:
    """Return a function that reads grey values, made from one that reads stored values.

    Parameters
    ----------
    where
        File or store that error messages name.
    stored
        Dtype of the stored values.
    read
        Function that reads stored values.
    bits
        Bits per value that the file states, if they are fewer than its dtype has.
    """
    if bits is not None and bits < 8 * stored.itemsize and stored.newbyteorder("=") in AS_STORED:
        table = _bits_table(stored.newbyteorder("="), bits)
        # A damaged or careless file may hold values above its stated bits; they are clipped to white.
        return lambda z, y, x, step=1: table.take(read(z, y, x, step), mode="clip")
    if stored.newbyteorder("=") in AS_STORED and stored.isnative:
        return read

    def read_grey(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        return as_grey(where, read(z, y, x, step))

    return read_grey
