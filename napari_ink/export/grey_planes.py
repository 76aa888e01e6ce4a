"""Conversion of arrays of grey levels or label values to label planes of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.errors import LabelError
from napari_ink.export.planes import INK_LABELS, INK_MASK, LabelPlane, Span
from napari_ink.mask_meaning import Samples, bits_of, meaning_of, values_of
from napari_ink.typing import UInt8Array


def plane_of_levels(
    values: Any,
    path: Path,
    voxel_size_um: float | None = None,
    samples: Samples | None = None,
    threshold: float | None = None,
) -> LabelPlane:
    """Return an array as a label plane: label values, or a hard or soft mask of levels 0 to 255.

    Parameters
    ----------
    values
        Array ``(y, x)`` of bool or whole numbers, or anything with a dtype and a shape that can be sliced like one.
    path
        Its file, for messages.
    voxel_size_um
        Side of a pixel in micrometres; None if unknown.
    samples
        What the file says about its values; None to judge by their dtype.
    threshold
        Threshold, 0 to 1, at which the caller will cut a soft mask; None if the user gave none.

    Raises
    ------
    LabelError
        If the array is not a plane of bool or whole numbers, or holds neither labels nor a mask (`meaning_of`).
    """
    if len(values.shape) > 2 and values.shape[-2] * values.shape[-1] == np.prod(values.shape):
        values = np.reshape(values, values.shape[-2:])  # a stack of one plane
    if len(values.shape) != 2 or np.dtype(values.dtype).kind not in "bui":
        raise LabelError(
            f"{path} has the shape {tuple(values.shape)} and {values.dtype} values; "
            "save it as one plane of whole numbers."
        )
    samples = Samples(bits_of(np.dtype(values.dtype))) if samples is None else samples
    meaning = meaning_of(values_of(_bands(values)), samples, path, threshold)

    # The values are converted when they are read, so that a plane larger than memory can be used.
    def read(y: Span, x: Span) -> UInt8Array:
        part = np.asarray(values[slice(*y), slice(*x)])
        return np.ascontiguousarray(meaning.labels(part) if meaning.are_labels else meaning.levels(part))

    shape = (int(values.shape[0]), int(values.shape[1]))
    names = INK_LABELS if meaning.are_labels else INK_MASK
    return LabelPlane(shape, read, names, voxel_size_um, (meaning.note,) if meaning.note else ())


def _bands(values: Any) -> Iterator[Any]:
    for top in range(0, values.shape[0], 1024):
        yield np.asarray(values[top : top + 1024])
