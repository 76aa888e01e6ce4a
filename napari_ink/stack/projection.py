"""Projections of depth layers onto a plane: maximum, mean, minimum and front-to-back compositing."""

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
    """Return the projection of layers ``(y, x)``; one layer is held at a time.

    Parameters
    ----------
    layers
        At least one layer; for ``"alpha"`` from front to back.
    how
        ``"max"``, ``"mean"``, ``"min"``; or ``"alpha"`` for front-to-back compositing, where bright voxels are opaque
        (Levoy, "Display of surfaces from volume data", 1988).
    limits
        Grey values that are fully transparent and fully opaque, for ``"alpha"`` only.

    Returns
    -------
    ndarray
        Projection ``(y, x)``: of the layers' dtype for maximum and minimum, else float32.
    """
    first = next(layers)
    if how in ("max", "min"):
        choose = np.maximum if how == "max" else np.minimum
        plane = first.copy()
        for layer in layers:
            choose(plane, layer, out=plane)
        return plane
    if how == "mean":
        # float32 is precise enough: sums of 512 layers of 16 bits stay below 2**25, where it is exact to 2.
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
        # Front to back: `clear` is the share of light that all layers before this one let through.
        seen += clear * opacity * layer
        clear *= 1 - opacity
    return seen
