"""A window of depth layers seen at once: the brightest, the mean, the darkest, or through each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

How = Literal["max", "mean", "min", "alpha"]
HOWS: tuple[How, ...] = get_args(How)


def project_layers(
    layers: Iterator[npt.NDArray[Any]], how: How, limits: tuple[float, float] = (0.0, 1.0)
) -> npt.NDArray[Any]:
    """Project layers ``(y, x)``, one after the other, onto a plane.

    Parameters
    ----------
    layers
        At least one; for ``"alpha"`` the nearest to the eye first.
    how
        ``"max"``, ``"mean"``, ``"min"``; or ``"alpha"``: a voxel hides what lies behind it the more, the brighter it is
        within `limits` (front-to-back compositing, as in Levoy, "Display of surfaces from volume data", 1988).
    limits
        The greys that are wholly clear and wholly opaque.

    Returns
    -------
    ndarray
        ``(y, x)``: of the layers' dtype for the brightest and the darkest, else float32.
    """
    first = next(layers)
    if how in ("max", "min"):
        choose = np.maximum if how == "max" else np.minimum
        plane = first.copy()
        for layer in layers:
            choose(plane, layer, out=plane)
        return plane
    if how == "mean":
        total, count = first.astype(np.float32), 1
        for layer in layers:
            total += layer
            count += 1
        mean: npt.NDArray[Any] = total / np.float32(count)
        return mean
    low, high = limits
    seen, clear = np.zeros(first.shape, np.float32), np.ones(first.shape, np.float32)
    for layer in (grey for part in ([first], layers) for grey in part):
        opacity = np.clip((layer.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
        seen += clear * opacity * layer
        clear *= 1 - opacity
    return seen
