"""Blocks of a segment: the squares in which teaching computes features, and in which the live mode predicts."""

from __future__ import annotations

from napari_ink.region import Region

# A screen takes a few blocks, and a halo of 64 pixels makes each cost little more than twice its own area.
BLOCK_PX = 256

Block = tuple[int, int]


def block_region(block: Block, shape: tuple[int, int]) -> Region:
    """Return the region of a block of `BLOCK_PX` pixels, clipped to the segment."""
    return Region.grid_square(block, BLOCK_PX).clip(shape)


def blocks_of(area: Region) -> list[Block]:
    """Return the blocks that a region touches, by row and column."""
    return area.grid_squares(BLOCK_PX)
