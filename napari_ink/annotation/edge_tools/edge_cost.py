"""The cost of passing an outline through a pixel: low on edges, high elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Cost = npt.NDArray[np.float32]
# Cost of a certain edge pixel relative to a pixel that is certainly none: an outline takes a detour of about thirty
# pixels along an edge rather than leave the edge for one pixel.
_FLOOR = 0.03
_SIGMA_PX = 1.5


def cost_of_probability(edge: npt.NDArray[np.uint8], step: int = 1) -> Cost:
    """Return the cost ``(y, x)`` of predicted edges.

    Parameters
    ----------
    edge
        Probability of edges, uint8.
    step
        Reduction factor; each square of `step` pixels takes its highest probability, so that thin edges survive.
    """
    return _cost(_coarser(edge, step).astype(np.float32) / np.float32(255))


def cost_of_image(image: npt.NDArray[Any], step: int = 1) -> Cost:
    """Return the cost ``(y, x)`` without a prediction: edges are where the gradient of the grey values is largest.

    Parameters
    ----------
    image
        Grey values ``(y, x)``.
    step
        Reduction factor; each square of `step` pixels takes its mean.
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
    """Return a point moved to the cheapest pixel within a radius, with a preference for near ones.

    Parameters
    ----------
    y, x
        The point, in segment pixels.
    cost
        Edge costs ``(y, x)`` of a box that contains the point.
    origin
        First row and column of the box, in segment pixels.
    radius_px
        Largest distance to move, in pixels.
    """
    rows, columns = np.ogrid[: cost.shape[0], : cost.shape[1]]
    distance = np.hypot(rows + origin[0] - y, columns + origin[1] - x)
    # At the full radius, distance weighs as much as a third of the difference between edge and no edge.
    weighed = np.where(distance <= radius_px, cost + distance / (3 * max(radius_px, 1)), np.inf)
    row, column = np.unravel_index(int(np.argmin(weighed)), cost.shape)
    return int(row) + origin[0], int(column) + origin[1]
