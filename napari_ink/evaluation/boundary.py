"""Boundary IoU, the agreement of the outlines of two masks (Cheng et al. 2021)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_ink.typing import Mask

DIAGONAL_PART = 0.02
_PIXELS_AT_ONCE = 1 << 22


def boundary_iou(found: Mask, truth: Mask, inside: Mask | None = None, distance: int | None = None) -> float:
    """Return the intersection over union of each mask's pixels within a distance of its own outline.

    As in the authors' code, the distance is in steps to any of the eight neighbours, and the image's border is an
    outline. Pixels outside `inside` are unknown: they make no outline and do not count.

    Parameters
    ----------
    found, truth
        Masks ``(y, x)``.
    inside
        Mask ``(y, x)`` of the pixels that count; None for all.
    distance
        Largest distance from an outline in pixels, at least 1. None for 2 % of the image's diagonal, which suits
        photographs; on a segment that would be hundreds of pixels, and wider than any stroke.

    Returns
    -------
    float
        0 to 1; 1 if neither mask has an outline.

    Raises
    ------
    ValueError
        If the masks differ in shape, or the distance is less than 1.
    """
    if found.shape != truth.shape or (inside is not None and inside.shape != truth.shape):
        raise ValueError(f"the masks differ in shape: {found.shape} and {truth.shape}")
    if distance is None:
        distance = max(round(DIAGONAL_PART * float(np.hypot(*truth.shape))), 1)
    if distance < 1:
        raise ValueError(f"a distance of {distance} pixels contains no outline; give at least 1")
    both = either = 0
    rows = max(_PIXELS_AT_ONCE // max(truth.shape[1], 1), distance)
    for start in range(0, truth.shape[0], rows):
        bands = [_band(mask, inside, slice(start, start + rows), distance) for mask in (found, truth)]
        both += int((bands[0] & bands[1]).sum())
        either += int((bands[0] | bands[1]).sum())
    return both / either if either else 1.0


def _band(mask: Mask, inside: Mask | None, rows: slice, distance: int) -> Mask:
    """Return, in some rows, the pixels of a mask that lie within `distance` of its outline."""
    above = min(rows.start, distance)  # rows read in addition, since they affect the wanted ones
    window = slice(rows.start - above, rows.stop + distance)
    part = mask[window]
    known = part if inside is None else part | ~inside[window]
    core = ndimage.minimum_filter(known, size=2 * distance + 1, mode="constant", cval=0)
    band: Mask = (part & ~core)[above : above + mask[rows].shape[0]]
    return band if inside is None else band & inside[rows]
