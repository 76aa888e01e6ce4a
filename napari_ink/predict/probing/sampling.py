"""Which few tiles of a segment to look at: those full of papyrus, spread over it."""

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

_LOOKED_AT = 48
_FULL_ENOUGH = 0.7


@dataclass(frozen=True, slots=True)
class SampleShape:
    """Tiles of at most a side, whose height and width the network takes in multiples of a divisor."""

    side: int
    divisor: int

    def fit(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width that a tile of `shape` is padded to."""
        height, width = (-(-length // self.divisor) * self.divisor for length in shape)
        return height, width


def sample_shape(model: InkModel) -> SampleShape:
    """Return the tiles that a model takes."""
    return SampleShape(model.contract.tile_size, int(getattr(model.network, "size_divisor", 1)))


def choose_tiles(
    stack: DepthStack, shape: SampleShape, count: int, region: Region | None, mask: Mask | None, ink: Mask | None
) -> tuple[Region, ...]:
    """Choose tiles of one size that do not overlap, full of papyrus and, where labels tell, with ink on them.

    Parameters
    ----------
    stack
        What they are tiles of.
    shape
        How large they are.
    count
        How many at most.
    region
        Where to choose from; None for the whole segment.
    mask, ink
        Where to look, and where ink is, ``(y, x)`` bool of the whole segment; None where nobody knows.

    Raises
    ------
    BadInputError
        If no tile there has any papyrus, or the region lies outside the segment.
    """
    area = (region or Region.whole(stack.shape[1:])).clip(stack.shape[1:])
    tiles: Sequence[Region] = _grid(area, shape)
    if ink is not None:
        tiles = [tile for tile in tiles if ink[tile.slices].any()] or tiles
    if mask is not None:
        tiles = _fullest(tiles, [float(mask[tile.slices].mean()) for tile in tiles])
    tiles = _spread(tiles, _LOOKED_AT)
    tiles = _fullest(tiles, [_papyrus_share(stack, tile) for tile in tiles])
    if not tiles:
        raise BadInputError(
            f"There is nothing to probe in {area}: all of it that was looked at is empty or masked; choose another "
            "--region."
        )
    return _spread(tiles, count)


def _fullest(tiles: Sequence[Region], shares: Sequence[float]) -> list[Region]:
    """Return the tiles about as full as the fullest, or none where all are empty."""
    enough = _FULL_ENOUGH * max(shares, default=0.0)
    return [tile for tile, share in zip(tiles, shares, strict=True) if share >= enough and share > 0]


def _grid(area: Region, shape: SampleShape) -> list[Region]:
    """Lay tiles of one size over an area, beside one another; what is left at the bottom and right is not looked at."""
    grid = tile_grid(area.shape, shape.side, shape.divisor, 0.0)
    height, width = min(grid.tile[0], area.height), min(grid.tile[1], area.width)
    return [
        Region(y, y + height, x, x + width)
        for y in range(area.y0, area.y1 - height + 1, height)
        for x in range(area.x0, area.x1 - width + 1, width)
    ]


def _spread(tiles: Sequence[Region], count: int) -> tuple[Region, ...]:
    """Return at most `count` of the tiles, as far from one another as can be: each next one is the farthest."""
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
