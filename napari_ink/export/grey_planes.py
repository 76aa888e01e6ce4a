"""Arrays of grey levels or label values, as other programs write them, as planes of 8 bits."""

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
    """Return the plane of whole numbers or bools: label values, or a mask of levels of 0 to 255, perhaps soft.

    Parameters
    ----------
    values
        Anything sliced like an array ``(y, x)``, with a dtype and a shape; it is read in bands.
    path
        Where it comes from, for the messages.
    voxel_size_um
        The side of a pixel, where it is known.
    samples
        What the file says about the values; what their dtype says when None.
    threshold
        Where the caller will cut a soft mask, 0 to 1, if somebody said so.

    Raises
    ------
    LabelError
        If it is no plane of bool or whole numbers, or `meaning_of` finds that its values are neither labels nor a mask.
    """
    if len(values.shape) > 2 and values.shape[-2] * values.shape[-1] == np.prod(values.shape):
        values = np.reshape(values, values.shape[-2:])  # a stack of one
    if len(values.shape) != 2 or np.dtype(values.dtype).kind not in "bui":
        raise LabelError(
            f"{path} has the shape {tuple(values.shape)} and {values.dtype} values; "
            "save it as one plane of whole numbers."
        )
    samples = Samples(bits_of(np.dtype(values.dtype))) if samples is None else samples
    meaning = meaning_of(values_of(_bands(values)), samples, path, threshold)

    def read(y: Span, x: Span) -> UInt8Array:
        part = np.asarray(values[slice(*y), slice(*x)])
        return np.ascontiguousarray(meaning.labels(part) if meaning.are_labels else meaning.levels(part))

    shape = (int(values.shape[0]), int(values.shape[1]))
    names = INK_LABELS if meaning.are_labels else INK_MASK
    return LabelPlane(shape, read, names, voxel_size_um, (meaning.note,) if meaning.note else ())


def _bands(values: Any) -> Iterator[Any]:
    for top in range(0, values.shape[0], 1024):
        yield np.asarray(values[top : top + 1024])
