"""Blocks of a segment: the squares in which teaching computes features, and in which the live mode predicts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.model import InputContract
from napari_ink.region import Region
from napari_ink.stack import DepthStack

# A screen takes a few blocks, and a halo of 64 pixels makes each cost little more than twice its own area.
BLOCK_PX = 256

Block = tuple[int, int]


def block_region(block: Block, shape: tuple[int, int]) -> Region:
    """Return the region of a block of `BLOCK_PX` pixels, clipped to the segment."""
    return Region.grid_square(block, BLOCK_PX).clip(shape)


def read_prepared(
    stack: DepthStack, contract: InputContract, area: Region, halo_px: int, divisor: int
) -> npt.NDArray[np.float32]:
    """Return prepared values ``(z, y, x)`` of an area with a halo; the segment is mirrored beyond its border.

    Parameters
    ----------
    stack
        Depth stack.
    contract
        Contract that prepares grey values, with the greys of the stack.
    area
        Area to read.
    halo_px
        Width of the halo; at the bottom and right it grows until height and width are multiples of `divisor`.
    divisor
        Number that divides the height and width of what a network takes.

    Raises
    ------
    ContractError
        If the stack has too few layers.
    StackError
        If the stack cannot be read there.
    """
    _, height, width = stack.shape
    y0, y1, x0, x1 = area.y0 - halo_px, area.y1 + halo_px, area.x0 - halo_px, area.x1 + halo_px
    y1, x1 = y1 + (y0 - y1) % divisor, x1 + (x0 - x1) % divisor
    window = contract.z_window(stack.shape[0])
    read = stack.read(window, slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width)))
    missing = [(0, 0), (max(-y0, 0), max(y1 - height, 0)), (max(-x0, 0), max(x1 - width, 0))]
    return np.ascontiguousarray(contract.prepare(np.pad(read, missing, mode="symmetric")))


def blocks_of(area: Region) -> list[Block]:
    """Return the blocks that a region touches, by row and column."""
    return area.grid_squares(BLOCK_PX)
