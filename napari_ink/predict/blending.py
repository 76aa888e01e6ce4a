"""Blending of overlapping tiles: a smooth weight map, and weighted sums over the blocks that are not final yet.

Probabilities and weights are multiples of small negative powers of two, so every product and every sum here is exact in
float32: the blend of equal values is that value to the bit, and the order of the tiles does not matter.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from napari_ink.predict.tiles import BlockIndex, TileGrid, block_area, blocks_in
from napari_ink.region import Region
from napari_ink.stack import SegmentMask
from napari_ink.typing import Float32Array, UInt8Array

PROBABILITY_STEPS = 2048
"""Probabilities are rounded to multiples of 1 / 2048, about 8 steps for each of the 255 stored levels."""

_WEIGHT_STEPS = 256
# Sums are exact while the weights at a pixel add up to at most 2^24 / (2048 · 256) = 32 (float32 has 24 bits); the
# largest overlap, 0.75, gives 25.


@lru_cache(maxsize=4)
def weight_map(grid: TileGrid) -> Float32Array:
    """Return the blending weights of one tile, ``(y, x)`` float32 in (0, 1].

    They are 1 in the middle and fall off as a squared sine over the overlap at each side, so that neighbours blend
    smoothly and a tile's border, where the network sees the least context, counts least.
    """
    sides = [_ramps(tile, tile - stride) for tile, stride in zip(grid.kept, grid.stride, strict=True)]
    weights = np.rint(np.outer(*sides) * _WEIGHT_STEPS) / _WEIGHT_STEPS
    # Never 0: a corner of the segment has one tile only, and its sum is divided by the weight.
    found = np.maximum(weights, 1 / _WEIGHT_STEPS).astype(np.float32)
    found.flags.writeable = False  # workers blend many patches of one grid, and all share this array
    return found


def _ramps(length: int, ramp: int) -> npt.NDArray[np.float64]:
    from_border = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    if ramp == 0:
        return np.ones(length)
    rising: npt.NDArray[np.float64] = np.sin(0.5 * np.pi * np.minimum(from_border / ramp, 1.0)) ** 2
    return rising


class OpenBlocks:
    """Weighted sums of tile probabilities over the blocks that are not final yet.

    Memory is used only for blocks that tiles have touched and that are not discarded yet: those along the front of a
    run, whatever the size of the segment.

    Parameters
    ----------
    grid
        The tiles of the segment.
    region
        Region that is predicted.
    mask
        Papyrus mask of the whole segment, or None for everywhere; levels outside it are 0.
    channels
        Number of values that a tile has for each pixel.
    """

    def __init__(self, grid: TileGrid, region: Region, mask: SegmentMask | None, channels: int = 2) -> None:
        self._region = region
        self._mask = mask
        self._channels = channels
        self._tile_weights = weight_map(grid)
        self._open: dict[BlockIndex, _Sums] = {}

    @property
    def nbytes(self) -> int:
        """Memory of the sums, in bytes."""
        return sum(one.sums.nbytes + one.weights.nbytes for one in self._open.values())

    def add(self, tile: Region, probabilities: Float32Array, blocks: Collection[BlockIndex]) -> None:
        """Add one tile to the sums.

        Parameters
        ----------
        tile
            The tile, clipped to the segment.
        probabilities
            ``(c, y, x)`` float32 in 0…1, as large as `TileGrid.kept`: larger than `tile` at some borders.
        blocks
            The blocks that are not final yet; the rest of the tile is ignored.
        """
        for block in blocks:
            area = block_area(block, self._region)
            if not area.touches(tile):
                continue
            if block not in self._open:
                self._open[block] = _Sums(area, self._channels)
            part = tile.within(area)
            inside, here = part.slices_in(tile), part.slices_in(area)
            weights = self._tile_weights[inside]
            one = self._open[block]
            one.sums[:, *here] += probabilities[:, *inside] * weights
            one.weights[here] += weights

    def levels(self, area: Region) -> UInt8Array:
        """Return the blend so far, ``(c, y, x)`` uint8 with 255 for a probability of 1, and 0 without a tile."""
        levels: UInt8Array = np.zeros((self._channels, *area.shape), np.uint8)
        for block in blocks_in(area):
            if (one := self._open.get(block)) is None:
                continue
            part = one.area.within(area)
            here = part.slices_in(one.area)
            weights = one.weights[here]
            # Where no tile was added the sum is 0 and so is the blend, without a division by zero.
            blend = one.sums[:, *here] / np.where(weights > 0, weights, 1)
            blend *= 255
            levels[:, *part.slices_in(area)] = np.rint(blend, out=blend)
        if self._mask is not None:
            levels[:, ~self._mask[area.slices]] = 0
        return levels

    def discard(self, block: BlockIndex) -> None:
        """Discard the sums of a block that is final."""
        self._open.pop(block, None)


class _Sums:
    """The weighted sums of one block's part of the region."""

    def __init__(self, area: Region, channels: int) -> None:
        self.area = area
        self.sums = np.zeros((channels, *area.shape), np.float32)
        self.weights = np.zeros(area.shape, np.float32)
