"""How hard it is for an outline to pass through a pixel: little on an edge, much everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Cost = npt.NDArray[np.float32]
# A pixel that is surely an edge costs this much of one that is surely none: an outline goes thirty pixels round to
# stay on an edge rather than cut one across.
_FLOOR = 0.03
_SIGMA_PX = 1.5


def cost_of_probability(edge: npt.NDArray[np.uint8], step: int = 1) -> Cost:
    """Return the cost ``(y, x)`` of predicted edges.

    Parameters
    ----------
    edge
        Probability of an edge, 0…255.
    step
        Pixels a side that become one: the surest edge among them counts, so that thin edges stay.
    """
    return _cost(_coarser(edge, step).astype(np.float32) / np.float32(255))


def cost_of_image(image: npt.NDArray[Any], step: int = 1) -> Cost:
    """Return the cost ``(y, x)`` where nothing is predicted: an edge is where grey values change most.

    Parameters
    ----------
    image
        Grey values.
    step
        Pixels a side that become one, by their mean.
    """
    grey = image.astype(np.float32)
    if step > 1:
        grey = _blocks(grey, step).mean(axis=(1, 3), dtype=np.float32)
    slope = ndimage.gaussian_gradient_magnitude(grey, _SIGMA_PX)
    steep = float(np.percentile(slope, 98)) or 1.0
    return _cost(np.clip(slope / steep, 0, 1))


def _cost(edge: npt.NDArray[np.float32]) -> Cost:
    cost: Cost = np.float32(_FLOOR) + (1 - edge) ** 2
    return cost


def _coarser(values: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    return values if step == 1 else _blocks(values, step).max(axis=(1, 3))


def _blocks(values: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)), mode="edge")
    return padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)


def snap(y: int, x: int, cost: npt.NDArray[np.float32], origin: tuple[int, int], radius_px: int) -> tuple[int, int]:
    """Return where a point settles: the cheapest pixel within a radius, nearer ones before farther ones.

    Parameters
    ----------
    y, x
        The point.
    cost
        Edge costs ``(y, x)`` of a box that holds the point.
    origin
        Where the box begins.
    radius_px
        How far the point may move.
    """
    rows, columns = np.ogrid[: cost.shape[0], : cost.shape[1]]
    distance = np.hypot(rows + origin[0] - y, columns + origin[1] - x)
    # Over the whole radius a point gives up a third of an edge's sureness to stay near.
    weighed = np.where(distance <= radius_px, cost + distance / (3 * max(radius_px, 1)), np.inf)
    row, column = np.unravel_index(int(np.argmin(weighed)), cost.shape)
    return int(row) + origin[0], int(column) + origin[1]
