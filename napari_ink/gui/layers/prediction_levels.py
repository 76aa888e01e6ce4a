"""Levels of a plane of a stored prediction, which napari reads tile by tile, at any size of the segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_ink.stack import Level

if TYPE_CHECKING:
    from napari_ink.predict.storage.difference import ReadPart
    from napari_ink.stack.depth_stack import Grey
    from napari_ink.typing import UInt8Array

_SCREEN_PX = 1024


Encode = Callable[["UInt8Array"], "UInt8Array"]


def plane_levels(read: ReadPart, shape: tuple[int, int], encode: Encode = lambda values: values) -> list[Level]:
    """Return levels of a plane of one depth layer, down to the size of a screen; they are computed when read.

    Parameters
    ----------
    read
        Function that reads a part of the plane.
    shape
        Height and width of the plane.
    encode
        Conversion of the values of a level to those that are shown; 0 is shown until a part is read.
    """
    steps = [1]
    while max(shape) > _SCREEN_PX * steps[-1]:
        steps.append(2 * steps[-1])
    return [_level(read, shape, step, encode) for step in steps]


def _level(read: ReadPart, shape: tuple[int, int], coarser: int, encode: Encode) -> Level:
    from napari_ink.predict import coarse

    read_part = coarse(read, shape, coarser)

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        return encode(read_part(y, x)[None, ::step, ::step])

    height, width = (-(-length // coarser) for length in shape)
    return Level((1, height, width), (1, coarser, coarser), read_block)
