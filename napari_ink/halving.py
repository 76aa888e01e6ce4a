"""Half as many rows and columns, for the coarser copies of stacks, labels and predictions."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_ink.typing import UInt8Array

T = TypeVar("T", bound=np.unsignedinteger[Any])


def halved_by_maximum(plane: UInt8Array) -> UInt8Array:
    """Return the maximum of each square of 2 × 2 pixels; at an odd border, of the pixels there are.

    Parameters
    ----------
    plane
        Values ``(y, x)``, such as labels: with the maximum a line one pixel wide stays a line.

    Returns
    -------
    ndarray
        Plane with half the rows and columns, rounded up.
    """
    odd = [(0, side % 2) for side in plane.shape]
    # Padded with 0, which never exceeds a value.
    even = np.pad(plane, odd) if any(after for _, after in odd) else plane
    rows = np.maximum(even[::2], even[1::2])
    return np.maximum(rows[:, ::2], rows[:, 1::2])


def halved_by_mean(block: npt.NDArray[T]) -> npt.NDArray[T]:
    """Return the rounded means of squares of 2 × 2 pixels; the last row or column of an odd side counts twice.

    Parameters
    ----------
    block
        Grey values ``(z, y, x)``, uint8 or uint16.

    Returns
    -------
    ndarray
        Block of the same dtype, with half the rows and columns, rounded up.
    """
    _, height, width = block.shape
    if height % 2 or width % 2:
        block = np.pad(block, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    halved: npt.NDArray[T] = np.empty((len(block), block.shape[1] // 2, block.shape[2] // 2), block.dtype)
    # Two neighbours in a row are read as one integer of twice the size, so that all sums run over contiguous memory.
    # Layers are processed one by one, so that temporary arrays stay in the processor's cache.
    bits = 8 * block.dtype.itemsize
    wide = np.dtype(f"u{bits // 4}").type
    for layer, out in zip(np.ascontiguousarray(block), halved, strict=True):
        pairs = layer.view(wide)
        sums = (pairs >> wide(bits)) + (pairs & wide((1 << bits) - 1))
        total = sums[::2] + sums[1::2]
        # Adding 2 before the shift by 2 bits rounds the mean of four.
        total += wide(2)
        np.right_shift(total, wide(2), out=out, casting="unsafe")
    return halved
