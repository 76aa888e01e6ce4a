"""The number of voxels in a mean along an axis, as an exact fraction, and places that follow from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

DECIMALS = 4
"""Decimals of a factor; a voxel at the far end of a large segment moves by a few voxels with the fifth."""


def factor_of(value: float) -> Fraction:
    """Return the number of voxels in a mean as an exact fraction, since rounded places would differ between tiles."""
    return Fraction(value).limit_denominator(10**DECIMALS)


def mean_at(voxel: int, factor: Fraction) -> int:
    """Return the mean in which the middle of a voxel lies."""
    return math.floor((voxel + Fraction(1, 2)) / factor)


def seen_side(tile: Sequence[int], factor: float) -> int:
    """Return the longer side of a tile in pixels that the network sees.

    Parameters
    ----------
    tile
        Height and width of the tile in the segment's pixels.
    factor
        Number of the segment's pixels along the side of a pixel that the network sees.
    """
    return math.floor(max(tile) / factor_of(factor))
