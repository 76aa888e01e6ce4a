"""Means of voxels whose number along an axis need not be whole: a voxel that lies in two means counts by its parts.

The means lie on one grid that begins at the origin of the axis, so a mean has the same value whichever part of the axis
is read.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.typing import Float32Array


def voxels_of(first: int, last: int, factor: Fraction, length: int) -> slice:
    """Return the voxels that the means `first` up to `last` are taken of, on an axis of `length` voxels."""
    start = min(math.floor(first * factor), length - 1)
    return slice(start, max(min(math.ceil(last * factor), length), start + 1))


def mean_weights(first: int, last: int, factor: Fraction, length: int) -> Any:
    """Return the weights of voxels in their means, as a sparse matrix.

    Parameters
    ----------
    first, last
        Half-open range of means.
    factor
        Number of voxels in a mean, at least 1.
    length
        Number of voxels of the axis; the last one is repeated beyond it.

    Returns
    -------
    csr_matrix
        float32 ``(means, voxels)`` with rows that add up to 1; the voxels are those of `voxels_of`.
    """
    from scipy.sparse import csr_matrix

    read = voxels_of(first, last, factor, length)
    whole, parts = factor.numerator, factor.denominator
    # Counted in parts of a voxel, all places are whole numbers.
    begins = np.arange(first, last, dtype=np.int64)[:, None] * whole
    touched = begins // parts + np.arange(whole // parts + 2)
    inside = np.minimum(begins + whole, (touched + 1) * parts) - np.maximum(begins, touched * parts)
    weights = (np.maximum(inside, 0) / whole).astype(np.float32)
    columns = np.minimum(touched, read.stop - 1) - read.start
    row_starts = np.arange(last - first + 1) * touched.shape[1]
    return csr_matrix((weights.ravel(), columns.ravel(), row_starts), shape=(last - first, read.stop - read.start))


def means_of_layers(block: npt.NDArray[Any], weights: Any) -> Float32Array:
    """Return means ``(means, y, x)`` of the layers of a block ``(z, y, x)``."""
    columns = block.reshape(len(block), -1).astype(np.float32)
    means: Float32Array = (weights @ columns).reshape(-1, *block.shape[1:])
    return means


def means_of_plane(plane: npt.NDArray[Any], rows: Any, columns: Any) -> Float32Array:
    """Return means of the rows and of the columns of a plane ``(y, x)``."""
    narrow = np.ascontiguousarray((rows @ plane.astype(np.float32)).T)
    means: Float32Array = (columns @ narrow).T
    return means
