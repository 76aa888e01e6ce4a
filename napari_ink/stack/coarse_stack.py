"""A stack at a coarser resolution: means of squares of pixels, from its stored levels where it has fitting ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from napari_ink.area_means import mean_weights, means_of_plane, voxels_of
from napari_ink.halving import halved_by_mean
from napari_ink.mean_factor import factor_of
from napari_ink.stack.depth_stack import DepthStack, Grey, Level, ReadBlock

# Full-resolution values in memory at a time; whole chunks of more are read anyway.
_PART_BYTES = 2**25
ReadSquares = Callable[[slice, slice, slice], Grey]


def plane_means(stack: DepthStack, side: float) -> DepthStack:
    """Return a stack whose pixels are the means of `side` × `side` pixels of another; its layers are the same.

    Means are rounded to whole grey values, as those of stored levels are. The coarsest stored level whose step divides
    `side` is read, so that a store with levels is not read at full resolution; if `side` is not whole, the stack itself
    is read, and pixels that lie in two squares count by their parts. The last rows and columns of a stack that `side`
    does not divide are repeated.

    Parameters
    ----------
    stack
        Depth stack to reduce.
    side
        Height and width of the squares, in pixels.
    """
    if side == 1:
        return stack
    factor = factor_of(side)
    height, width = (math.ceil(length / factor) for length in stack.shape[1:])
    # Rounded up: a strip of whole rows must not leave a column that is read apart.
    tall, wide = (math.ceil(stored / factor) for stored in stack.stored_px)
    voxel = stack.voxel_size_um
    return replace(
        stack,
        shape=(stack.shape[0], height, width),
        voxel_size_um=None if voxel is None else voxel * side,
        layer_step_um=stack.layer_step_um or voxel,
        read_block=_reading(stack, *_squares_of(stack, side)),
        levels=(),
        stored_px=(tall, wide),
    )


def level_step(stack: DepthStack, side: float) -> int:
    """Return the step of the stored level that `plane_means` reads; 1 for the stack itself."""
    return max((level.step[1] for level in stack.levels if _fits(level, side)), default=1)


def _fits(level: Level, side: float) -> bool:
    z, y, x = level.step
    return z == 1 and y == x and side % y == 0


def _source(stack: DepthStack, side: int) -> tuple[int, ReadBlock, int, int]:
    """Return the step of the level to read, its function, and its height and width."""
    step = level_step(stack, side)
    if step == 1:
        return 1, stack.read_block, *stack.shape[1:]
    level = next(one for one in stack.levels if _fits(one, side) and one.step[1] == step)
    return step, level.read, *level.shape[1:]


def _squares_of(stack: DepthStack, side: float) -> tuple[ReadSquares, float]:
    """Return a function that reads the means of squares, and the side of a square in pixels of what it reads."""
    factor = factor_of(side)
    if factor.denominator > 1:
        return lambda z, y, x: _weighted_squares(stack, (z, y, x), factor), side
    step, read, height, width = _source(stack, factor.numerator)
    return lambda z, y, x: _squares(read, z, y, x, (height, width), factor.numerator // step), factor.numerator // step


def _reading(stack: DepthStack, squares: ReadSquares, side: float) -> ReadBlock:
    """Return a function that reads means a few layers and rows at a time.

    The full resolution of all of them together has side² times as many values.
    """
    tall = math.ceil(stack.stored_px[0] / side)

    def block(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        out: Grey = np.empty(shape, stack.dtype)
        layers = stack.layers_together if shape[0] > stack.layers_together > 1 else min(shape[0], 8)
        rows = max(int(_PART_BYTES / max(layers * shape[2] * side * side * stack.dtype.itemsize, 1)), 1)
        rows = max(rows // tall, 1) * tall
        for first in range(0, shape[0], layers):
            for top in range(0, shape[1], rows):
                to = slice(first, min(first + layers, shape[0])), slice(top, min(top + rows, shape[1]))
                here = slice(z.start + to[0].start, z.start + to[0].stop)
                down = slice(y.start + to[1].start, y.start + to[1].stop)
                out[to] = squares(here, down, x)
        return out[:, ::step, ::step]

    return block


def _weighted_squares(stack: DepthStack, window: tuple[slice, slice, slice], factor: Fraction) -> Grey:
    """Read the means of squares whose side is no whole number of pixels."""
    z, *plane = window
    sides = list(zip(plane, stack.shape[1:], strict=True))
    rows, columns = (mean_weights(part.start, part.stop, factor, length) for part, length in sides)
    y, x = (voxels_of(part.start, part.stop, factor, length) for part, length in sides)
    values = stack.read_block(z, y, x)
    # Layer by layer, so that no more than one of them is held as float32.
    means = [np.rint(means_of_plane(layer, rows, columns)).astype(stack.dtype) for layer in values]
    return np.stack(means)


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
