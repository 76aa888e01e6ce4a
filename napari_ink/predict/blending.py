"""Blending of overlapping tiles: a smooth weight map, and sums over a strip that rolls down the segment.

Probabilities and weights are multiples of small powers of two, so that every product and every sum here is exact in
float32: the blend of equal values is that value to the bit, and the order of the tiles never matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.predict.region import Region
from napari_ink.predict.tiles import BLOCK, TileGrid

PROBABILITY_STEPS = 2048
"""Probabilities are rounded to this many steps, 8 to each of the 255 that are stored."""

_WEIGHT_STEPS = 256
# Exact while the weights in one place add up to no more than 2^24 / (2048 · 256) = 32; an overlap of 0.75 gives 25.
Float32Array = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]


def weight_map(grid: TileGrid) -> Float32Array:
    """Return the blending weights of one tile, ``(y, x)`` float32 in (0, 1].

    Flat in the middle, with a squared sine over the overlap at each side: neighbours change over smoothly, and values
    from a tile's border, where the network sees least around them, count least.
    """
    sides = [_ramps(tile, tile - stride) for tile, stride in zip(grid.tile, grid.stride, strict=True)]
    weights = np.rint(np.outer(*sides) * _WEIGHT_STEPS) / _WEIGHT_STEPS
    return np.maximum(weights, 1 / _WEIGHT_STEPS).astype(np.float32)


def _ramps(length: int, ramp: int) -> npt.NDArray[np.float64]:
    from_border = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    if ramp == 0:
        return np.ones(length)
    rising: npt.NDArray[np.float64] = np.sin(0.5 * np.pi * np.minimum(from_border / ramp, 1.0)) ** 2
    return rising


class Strip:
    """Weighted sums of what tiles say, over the rows of a region that are not final yet.

    Memory is that of one row of tiles and two of blocks, whatever the segment's height.

    Parameters
    ----------
    grid
        The tiles of the segment.
    region
        What is being predicted.
    mask
        Where there is papyrus, ``(y, x)`` bool of the whole segment, or None for everywhere; elsewhere all is 0.
    """

    def __init__(self, grid: TileGrid, region: Region, mask: npt.NDArray[np.bool_] | None) -> None:
        self._region = region
        self._mask = mask
        self._tile_weights = weight_map(grid)
        # From the top of the block in which a tile begins, to the bottom of that in which it ends.
        height = min(grid.tile[0] + 2 * BLOCK, region.height)
        self._area = Region(region.y0, region.y0 + height, region.x0, region.x1)
        self._sums = np.zeros((2, height, region.width), np.float32)
        self._weights = np.zeros((height, region.width), np.float32)

    @property
    def nbytes(self) -> int:
        """Memory of the sums, in bytes."""
        return self._sums.nbytes + self._weights.nbytes

    def add(self, tile: Region, probabilities: Float32Array) -> None:
        """Add one tile.

        Parameters
        ----------
        tile
            Where it lies; never above an earlier one.
        probabilities
            Ink and edge, ``(2, y, x)`` in 0…1, as large as the grid's tiles: larger than `tile` where that was padded.
        """
        self._roll_to(tile.y0)
        part = tile.within(self._region)
        inside, here = part.slices_in(tile), part.slices_in(self._area)
        weights = self._tile_weights[inside]
        self._sums[:, *here] += probabilities[:, *inside] * weights
        self._weights[here] += weights

    def levels(self, area: Region) -> UInt8Array:
        """Return the blend so far, ``(2, y, x)`` uint8 with 255 for a probability of 1 and 0 where no tile was."""
        here = area.slices_in(self._area)
        weights = self._weights[here]
        blend = self._sums[:, *here] / np.where(weights > 0, weights, 1)
        blend *= 255
        levels: UInt8Array = np.rint(blend, out=blend).astype(np.uint8)
        if self._mask is not None:
            levels[:, ~self._mask[area.slices]] = 0
        return levels

    def _roll_to(self, y0: int) -> None:
        """Let go of the blocks above row `y0`, which are final."""
        top = max(y0 // BLOCK * BLOCK, self._region.y0)
        shift = top - self._area.y0
        if shift <= 0:
            return
        kept = max(self._area.height - shift, 0)
        for rows in (*self._sums, self._weights):
            rows[:kept] = rows[len(rows) - kept :]
            rows[kept:] = 0
        self._area = Region(top, top + self._area.height, self._region.x0, self._region.x1)
