"""Snapping: a point settles on the edge that is nearest and surest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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
