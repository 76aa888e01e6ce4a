"""Projections of a depth stack as levels, which are shown like a stack of one layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ink.stack.depth_stack import DepthStack, Grey, Level
from napari_ink.stack.projection import How, project_layers
from napari_ink.stack.tiles import viewing_levels

_AT_ONCE = 8


def projected_levels(stack: DepthStack, z: slice, how: How, limits: tuple[float, float]) -> list[Level]:
    """Return levels of one layer, the projections of a window of layers; they are computed when read.

    Parameters
    ----------
    stack
        The stack to project.
    z
        Half-open range of depth layers.
    how
        Kind of projection.
    limits
        Grey values that are fully transparent and fully opaque, for ``"alpha"`` only.

    Raises
    ------
    ValueError
        If the window is empty or leaves the stack.
    """
    if not 0 <= z.start < z.stop <= stack.shape[0]:
        raise ValueError(f"{z.start}:{z.stop} is not a window of {stack.shape[0]} layers")
    return [_projected(level, z, how, limits, stack.dtype) for level in viewing_levels(stack)]


def _projected(level: Level, window: slice, how: How, limits: tuple[float, float], dtype: np.dtype[Any]) -> Level:
    deep = level.step[0]
    # A level may be coarser in depth, too: take all of its layers that overlap the window, and at least one.
    first, last = window.start // deep, max(-(-window.stop // deep), window.start // deep + 1)
    last = min(last, level.shape[0])

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        layers = (
            layer
            for at in range(first, last, _AT_ONCE)  # `z` can only be the projection's one layer
            for layer in level.read(slice(at, min(at + _AT_ONCE, last)), y, x, step)
        )
        plane = project_layers(layers, how, limits)
        return (plane if plane.dtype == dtype else np.rint(plane).astype(dtype))[np.newaxis]

    return Level((1, *level.shape[1:]), (1, *level.step[1:]), read)
