"""Choosing a few tiles for a probe: full of papyrus, and spread over the segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_ink.errors import BadInputError
from napari_ink.model import InkModel
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.typing import Mask

# Candidates whose surface layer is read; more would take longer than the probe itself on a slow disk.
_CANDIDATES = 48
# A tile is used if it has at least this share of the papyrus in the fullest tile.
_FULL_ENOUGH = 0.7
_SIDE_WITH_CONTEXT = 256


@dataclass(frozen=True, slots=True)
class SampleShape:
    """The size of a probe's tiles: at most `side` pixels, padded to multiples of `divisor` for the network."""

    side: int
    divisor: int

    def fit(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width that a tile of `shape` is padded to."""
        height, width = (-(-length // self.divisor) * self.divisor for length in shape)
        return height, width


def sample_shape(model: InkModel) -> SampleShape:
    """Return the size of tiles that a model takes."""
    # A network with a context takes any size, and its own tiles are larger than a sample needs.
    side = _SIDE_WITH_CONTEXT if model.contract.context_px else model.contract.tile_size
    return SampleShape(side, int(getattr(model.network, "size_divisor", 1)))


def choose_tiles(
    stack: DepthStack, shape: SampleShape, count: int, region: Region | None, mask: Mask | None, ink: Mask | None
) -> tuple[Region, ...]:
    """Return tiles of one size that do not overlap, full of papyrus and, if there are labels, with ink on them.

    Parameters
    ----------
    stack
        Depth stack to choose from.
    shape
        Size of the tiles.
    count
        Largest number of tiles.
    region
        Region to choose from, in segment pixels; None for the whole segment.
    mask, ink
        Pixels to use, and ink labels, ``(y, x)`` bool of the whole segment; None if there are none.

    Raises
    ------
    BadInputError
        If no tile contains papyrus, or the region lies outside the segment.
    """
    area = (region or Region.whole(stack.shape[1:])).clip(stack.shape[1:])
    tiles: Sequence[Region] = _grid(area, shape)
    if ink is not None:
        tiles = [tile for tile in tiles if ink[tile.slices].any()] or tiles
    # The mask is in memory, so it sorts out tiles before any grey values are read.
    if mask is not None:
        tiles = _fullest(tiles, [float(mask[tile.slices].mean()) for tile in tiles])
    tiles = _spread(tiles, _CANDIDATES)
    tiles = _fullest(tiles, [_papyrus_share(stack, tile) for tile in tiles])
    if not tiles:
        raise BadInputError(
            f"There is nothing to probe in {area}: all tiles that were checked are empty or masked; choose another "
            "--region."
        )
    return _spread(tiles, count)


def _fullest(tiles: Sequence[Region], shares: Sequence[float]) -> list[Region]:
    """Return the tiles that are about as full as the fullest; none if all are empty."""
    enough = _FULL_ENOUGH * max(shares, default=0.0)
    return [tile for tile, share in zip(tiles, shares, strict=True) if share >= enough and share > 0]


def _grid(area: Region, shape: SampleShape) -> list[Region]:
    """Return tiles of one size side by side over an area; a rest at the bottom and right is not used."""
    grid = tile_grid(area.shape, shape.side, shape.divisor, 0.0)
    height, width = min(grid.tile[0], area.height), min(grid.tile[1], area.width)
    return [
        Region(y, y + height, x, x + width)
        for y in range(area.y0, area.y1 - height + 1, height)
        for x in range(area.x0, area.x1 - width + 1, width)
    ]


def _spread(tiles: Sequence[Region], count: int) -> tuple[Region, ...]:
    """Return at most `count` tiles, far apart from each other, by farthest-point sampling from the middle."""
    if len(tiles) <= count:
        return tuple(tiles)
    places = np.array([(tile.y0, tile.x0) for tile in tiles], dtype=np.float64)
    middle = np.hypot(*(places - places.mean(axis=0)).T).argmin()
    chosen = [int(middle)]
    distance = np.hypot(*(places - places[middle]).T)
    while len(chosen) < count:
        farthest = int(distance.argmax())
        chosen.append(farthest)
        distance = np.minimum(distance, np.hypot(*(places - places[farthest]).T))
    return tuple(tiles[n] for n in sorted(chosen))


def _papyrus_share(stack: DepthStack, tile: Region) -> float:
    surface = stack.read(slice(stack.surface_z, stack.surface_z + 1), *tile.slices)
    return float((surface > 0).mean())
