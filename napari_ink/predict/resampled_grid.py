"""Tiles over a segment whose network sees a resampled stack, whose pixels need not be a whole number of the segment's.

The network's tiles lie on the grid of the resampled stack, which begins at the segment's origin. A tile stands for the
segment's pixels whose middles lie in it, and its values are interpolated at those middles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from napari_ink.mean_factor import factor_of, mean_at
from napari_ink.predict.tiles import TileGrid, tile_grid
from napari_ink.region import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampledGrid(TileGrid):
    """Tiles in the segment's pixels, laid by a grid of tiles over the resampled stack.

    Attributes
    ----------
    coarse
        The tiles in pixels that the network sees.
    scale
        Number of the segment's pixels along the side of one of these.
    """

    coarse: TileGrid
    scale: Fraction

    @property
    def kept(self) -> tuple[int, int]:
        """Height and width of a tile without its context, rounded up, so that neighbours leave no gap."""
        height, width = (math.ceil(side * self.scale) for side in self.coarse.kept)
        return height, width

    @property
    def seen(self) -> TileGrid:
        """The same tiles in pixels that the network sees."""
        return self.coarse

    @property
    def factor(self) -> Fraction:
        """Number of the segment's pixels along the side of a pixel that the network sees."""
        return self.scale

    def first_pixel(self, tile: Region) -> tuple[Fraction, Fraction]:
        """Return the middle of a tile's first pixel, in seen pixels from the tile's top left without its context."""
        seen, half = self._seen(tile), Fraction(1, 2)
        return (tile.y0 + half) / self.scale - seen.y0, (tile.x0 + half) / self.scale - seen.x0

    def read_area(self, tile: Region) -> Region:
        """Return the part of the seen canvas that the network reads for a tile, its context included."""
        return self.coarse.read_area(self._seen(tile))

    def place_in_tile(self, tile: Region) -> tuple[int, int]:
        """Return the row and column within a seen tile at which `read_area` begins."""
        return self.coarse.place_in_tile(self._seen(tile))

    def starts(self, axis: int) -> tuple[int, ...]:
        """Return the first pixel of each tile along an axis, the first one whose middle lies in it."""
        half = Fraction(1, 2)
        return tuple(math.ceil(start * self.scale - half) for start in self.coarse.starts(axis))

    def _seen(self, tile: Region) -> Region:
        """Return a tile in pixels that the network sees; the inverse of `starts`."""
        y0, x0 = mean_at(tile.y0, self.scale), mean_at(tile.x0, self.scale)
        height, width = self.coarse.kept
        return Region(y0, y0 + height, x0, x0 + width)


def resampled_grid(
    shape: tuple[int, int], side: int, divisor: int, overlap: float, step: int, context: int, factor: float
) -> TileGrid:
    """Return the grid of tiles over a segment; all lengths but `shape` are in pixels that the network sees.

    Parameters
    ----------
    shape
        The segment's height and width, in pixels.
    side, divisor, overlap, step, context
        As in `tile_grid`.
    factor
        Number of the segment's pixels along the side of a pixel that the network sees.

    Raises
    ------
    BadInputError
        If `overlap` is out of range, or the context leaves nothing of a tile.
    """
    if factor == 1:
        return tile_grid(shape, side, divisor, overlap, step, context)
    scale = factor_of(factor)
    height, width = (math.ceil(length / scale) for length in shape)
    if scale.denominator == 1:
        # Laid in the segment's pixels, so that a run that began with an odd overlap is resumed with the same tiles.
        whole = scale.numerator
        laid = tile_grid(shape, side * whole, divisor * whole, overlap, step * whole, context * whole)
        tile, stride = ((y // whole, x // whole) for y, x in (laid.tile, laid.stride))
        coarse = TileGrid((height, width), tile, stride, step, context)
    else:
        coarse = tile_grid((height, width), side, divisor, overlap, step, context)
    tall, wide = (math.ceil(length * scale) for length in coarse.tile)
    down, right = (math.floor(length * scale) for length in coarse.stride)
    return ResampledGrid(shape, (tall, wide), (down, right), 1, math.ceil(context * scale), coarse=coarse, scale=scale)
