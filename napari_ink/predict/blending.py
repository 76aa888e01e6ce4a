"""Blending of overlapping tiles: a smooth weight map, and sums over the blocks that are not final yet.

Probabilities and weights are multiples of small powers of two, so that every product and every sum here is exact in
float32: the blend of equal values is that value to the bit, and the order of the tiles never matters.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from napari_ink.predict.tiles import BlockIndex, TileGrid, block_area, blocks_in
from napari_ink.region import Region
from napari_ink.stack import SegmentMask
from napari_ink.typing import Float32Array, UInt8Array

PROBABILITY_STEPS = 2048
"""Probabilities are rounded to this many steps, 8 to each of the 255 that are stored."""

_WEIGHT_STEPS = 256
# Exact while the weights in one place add up to no more than 2^24 / (2048 · 256) = 32; an overlap of 0.75 gives 25.


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


class OpenBlocks:
    """Weighted sums of what tiles say, over the blocks that are not final yet.

    Memory is that of the blocks that tiles have touched and that were not let go of: those along the front of a run.

    Parameters
    ----------
    grid
        The tiles of the segment.
    region
        What is being predicted.
    mask
        Where there is papyrus, or None for everywhere; elsewhere all is 0.
    channels
        How many values a tile has for each pixel.
    """

    def __init__(
        self, grid: TileGrid, region: Region, mask: SegmentMask | None, channels: int = 2
    ) -> None:  # fmt: skip
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
        """Add one tile.

        Parameters
        ----------
        tile
            Where it lies.
        probabilities
            ``(c, y, x)`` in 0…1, as large as the grid's tiles: larger than `tile` where that was padded.
        blocks
            The blocks that wait for it; the rest of the tile is dropped.
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
        """Return the blend so far, ``(c, y, x)`` uint8 with 255 for a probability of 1 and 0 where no tile was."""
        levels: UInt8Array = np.zeros((self._channels, *area.shape), np.uint8)
        for block in blocks_in(area):
            if (one := self._open.get(block)) is None:
                continue
            part = one.area.within(area)
            here = part.slices_in(one.area)
            weights = one.weights[here]
            blend = one.sums[:, *here] / np.where(weights > 0, weights, 1)
            blend *= 255
            levels[:, *part.slices_in(area)] = np.rint(blend, out=blend)
        if self._mask is not None:
            levels[:, ~self._mask[area.slices]] = 0
        return levels

    def let_go(self, block: BlockIndex) -> None:
        """Forget a block, which is final."""
        self._open.pop(block, None)


class _Sums:
    """The sums of one block's part of the region."""

    def __init__(self, area: Region, channels: int) -> None:
        self.area = area
        self.sums = np.zeros((channels, *area.shape), np.float32)
        self.weights = np.zeros(area.shape, np.float32)
