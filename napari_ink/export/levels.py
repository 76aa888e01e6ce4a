"""Arrays of grey levels, as other programs write them, as planes of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.errors import LabelError
from napari_ink.export.planes import INK_LABELS, INK_MASK, LabelPlane, Span, UInt8Array


def plane_of_levels(values: Any, path: Path, voxel_size_um: float | None = None) -> LabelPlane:
    """Return the plane of whole numbers or bools: label values if none is above 2, otherwise a mask, perhaps soft.

    Parameters
    ----------
    values
        Anything sliced like an array ``(y, x)``, with a dtype and a shape; it is read in bands.
    path
        Where it comes from, for the messages.
    voxel_size_um
        The side of a pixel, where it is known.

    Raises
    ------
    LabelError
        If it is no plane of bool or whole numbers from 0 to 65535.
    """
    if len(values.shape) > 2 and values.shape[-2] * values.shape[-1] == np.prod(values.shape):
        values = np.reshape(values, values.shape[-2:])  # a stack of one
    kind = np.dtype(values.dtype).kind
    if len(values.shape) != 2 or kind not in "bui":
        raise LabelError(
            f"{path} has the shape {tuple(values.shape)} and {values.dtype} values; "
            "save it as one plane of whole numbers."
        )
    ends = [(int(band.min()), int(band.max())) for band in _bands(values) if band.size]
    low, high = min((end[0] for end in ends), default=0), max((end[1] for end in ends), default=0)
    if low < 0 or high >= 2**16:
        raise LabelError(f"{path} holds values of {low} to {high}; labels are 0, 1 and 2, masks go from 0 to 255.")

    def read(y: Span, x: Span) -> UInt8Array:
        part = np.asarray(values[slice(*y), slice(*x)])
        if kind == "b":
            return part.astype(np.uint8) * np.uint8(255)
        # Soft masks of 16 bits lose their lower half, which no cut at half looks at.
        return np.ascontiguousarray(part >> 8 if high > 255 else part, dtype=np.uint8)

    shape = (int(values.shape[0]), int(values.shape[1]))
    return LabelPlane(shape, read, INK_MASK if kind == "b" or high > 2 else INK_LABELS, voxel_size_um)


def _bands(values: Any) -> Iterator[Any]:
    for top in range(0, values.shape[0], 1024):
        yield np.asarray(values[top : top + 1024])
