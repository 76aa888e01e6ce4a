"""A stack at a coarser resolution: means of squares of pixels, from its stored levels where it has fitting ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_ink.halving import halved_by_mean
from napari_ink.stack.depth_stack import DepthStack, Grey, Level, ReadBlock

# Full-resolution values in memory at a time; whole chunks of more are read anyway.
_PART_BYTES = 2**25


def plane_means(stack: DepthStack, side: int) -> DepthStack:
    """Return a stack whose pixels are the means of `side` × `side` pixels of another; its layers are the same.

    Means are rounded to whole grey values, as those of stored levels are. The coarsest stored level whose step divides
    `side` is read, so that a store with levels is not read at full resolution. The last rows and columns of a stack
    that `side` does not divide are repeated.

    Parameters
    ----------
    stack
        Depth stack to reduce.
    side
        Height and width of the squares, in pixels.
    """
    if side == 1:
        return stack
    step, read, height, width = _source(stack, side)
    reduced = _reading(stack, read, (height, width), side // step)
    tall, wide = (max(stored // side, 1) for stored in stack.stored_px)
    voxel = stack.voxel_size_um
    return replace(
        stack,
        shape=(stack.shape[0], -(-stack.shape[1] // side), -(-stack.shape[2] // side)),
        voxel_size_um=None if voxel is None else voxel * side,
        layer_step_um=stack.layer_step_um or voxel,
        read_block=reduced,
        levels=(),
        stored_px=(tall, wide),
    )


def level_step(stack: DepthStack, side: int) -> int:
    """Return the step of the stored level that `plane_means` reads; 1 for the stack itself."""
    return max((level.step[1] for level in stack.levels if _fits(level, side)), default=1)


def _fits(level: Level, side: int) -> bool:
    z, y, x = level.step
    return z == 1 and y == x and side % y == 0


def _source(stack: DepthStack, side: int) -> tuple[int, ReadBlock, int, int]:
    """Return the step of the level to read, its function, and its height and width."""
    step = level_step(stack, side)
    if step == 1:
        return 1, stack.read_block, *stack.shape[1:]
    level = next(one for one in stack.levels if _fits(one, side) and one.step[1] == step)
    return step, level.read, *level.shape[1:]


def _reading(stack: DepthStack, read: ReadBlock, size: tuple[int, int], side: int) -> ReadBlock:
    """Return a function that reads means of `side` × `side` pixels of what `read` reads, whose planes have a `size`."""

    def block(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        out: Grey = np.empty(shape, stack.dtype)
        # A few layers and rows at a time, since the full resolution of all of them has side² times as many values.
        layers = stack.layers_together if shape[0] > stack.layers_together > 1 else min(shape[0], 8)
        rows = max(_PART_BYTES // max(layers * shape[2] * side * side * stack.dtype.itemsize, 1), 1)
        tall = max(stack.stored_px[0] // side, 1)
        rows = max(rows // tall, 1) * tall
        for first in range(0, shape[0], layers):
            for top in range(0, shape[1], rows):
                to = slice(first, min(first + layers, shape[0])), slice(top, min(top + rows, shape[1]))
                here = slice(z.start + to[0].start, z.start + to[0].stop)
                down = slice(y.start + to[1].start, y.start + to[1].stop)
                out[to] = _squares(read, here, down, x, size, side)
        return out[:, ::step, ::step]

    return block


def _squares(read: ReadBlock, z: slice, y: slice, x: slice, size: tuple[int, int], side: int) -> Grey:
    """Read the means of squares: halved as often as possible, as in a pyramid, then by the odd rest."""
    wanted = [(part.start * side, part.stop * side) for part in (y, x)]
    # A level of another program may be a row or column short, so a square may even begin beyond it.
    rows, columns = (
        slice(min(first, length - 1), min(last, length)) for (first, last), length in zip(wanted, size, strict=True)
    )
    values = read(z, rows, columns)
    while side % 2 == 0:
        values, side = halved_by_mean(values), side // 2
    height, width = y.stop - y.start, x.stop - x.start
    missing = [(0, 0), (0, height * side - values.shape[1]), (0, width * side - values.shape[2])]
    values = np.pad(values, missing, mode="edge") if any(after for _, after in missing) else values
    if side == 1:
        return values
    squares = values.reshape(len(values), height, side, width, side)
    means: Grey = np.rint(squares.mean(axis=(2, 4), dtype=np.float32)).astype(values.dtype)
    return means
