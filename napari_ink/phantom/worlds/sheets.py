"""Sheets in a volume: the share of each voxel that they fill, and their greys along the depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ink.phantom.fields import FloatArray
from napari_ink.phantom.worlds.frame import GAP

# Layers from the face that no volume reaches: a neighbour fills all that lies before or behind it.
_FAR = 400


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet as it lies in a volume.

    Attributes
    ----------
    planes
        Its greys ``(u, y, x)``.
    face, thickness
        How far its face lies below the middle layer, and how thick it is, in layers ``(y, x)``; 0 where it is missing.
    """

    planes: FloatArray
    face: FloatArray
    thickness: FloatArray


def at_depth(planes: FloatArray, position: FloatArray) -> FloatArray:
    """Return planes ``(u, y, x)`` at a `position` ``(y, x)`` between them, which is clipped to the first and last."""
    # Below the last plane by a little, so that there is a plane after it to blend with.
    position = np.clip(position, 0, len(planes) - 1.001)
    below = position.astype(np.intp)[None]
    blend = position - below[0]
    low = np.take_along_axis(planes, below, 0)[0]
    mixed: FloatArray = low + blend * (np.take_along_axis(planes, below + 1, 0)[0] - low)
    return mixed


def inside(depth: FloatArray, top: FloatArray | float, bottom: FloatArray | float) -> FloatArray:
    """Return the share of each voxel, one layer deep, that lies between two depths."""
    share: FloatArray = np.clip(np.minimum(depth + 0.5, bottom) - np.maximum(depth - 0.5, top), 0, 1)
    return share


def before(depth: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the share of each voxel that lies more than a distance before the face."""
    return inside(depth, -_FAR, -distance)


def behind(depth: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the share of each voxel that lies more than a distance behind the face."""
    return inside(depth, distance, _FAR)


def add_sheet(layer: FloatArray, share: FloatArray, planes: FloatArray, position: FloatArray) -> None:
    """Add a sheet to a layer that holds air, in place.

    Parameters
    ----------
    layer
        Greys ``(y, x)``.
    share
        Share of each voxel that the sheet fills, less for a sheet less dense.
    planes, position
        The sheet's greys, as of `at_depth`.
    """
    # Most layers meet one sheet of three, and interpolating the others would take most of the time.
    if share.any():
        layer += share * (at_depth(planes, position) - GAP)
