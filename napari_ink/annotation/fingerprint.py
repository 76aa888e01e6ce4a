"""Fingerprints, which identify a stack after it was moved or copied to another machine."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_ink.stack import DepthStack

_ROWS, _LAYERS = 4, 3


def fingerprint(stack: DepthStack) -> dict[str, Any]:
    """Return a stack's fingerprint: its shape, its dtype and a checksum of a few rows of a few layers.

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    depth, height, width = stack.shape
    check = 0
    for z in _spread(depth, _LAYERS):
        for y in _spread(height, _ROWS):
            row = stack.read(slice(z, z + 1), slice(y, y + 1), slice(0, width))
            # In one byte order, so that a copy in the other one has the same fingerprint.
            little_endian = np.ascontiguousarray(row.astype(row.dtype.newbyteorder("<"), copy=False))
            check = zlib.crc32(little_endian.data, check)
    return {"shape": list(stack.shape), "dtype": str(stack.dtype), "rows_crc32": check}


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return in words how two fingerprints differ; empty if they are the same."""
    if found["shape"] != wanted["shape"]:
        return f"it has {_by(found['shape'])} layers, rows and columns instead of {_by(wanted['shape'])}"
    if found["dtype"] != wanted["dtype"]:
        return f"its pixels are {found['dtype']} instead of {wanted['dtype']}"
    return "" if found["rows_crc32"] == wanted["rows_crc32"] else "its grey values differ"


def _spread(length: int, number: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, length - 1, min(number, length) + 2)[1:-1]})


def _by(shape: list[int]) -> str:
    return " × ".join(map(str, shape))
