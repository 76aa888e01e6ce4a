"""Levels of a Zarr, each half as high and wide as the one before, written and read a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari_ink.export.planes import LabelPlane
from napari_ink.halving import halved_by_maximum
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    import zarr

Put = Callable[[Any, int, int, UInt8Array], None]
Take = Callable[[Any, slice, slice], UInt8Array]


def level_shapes(shape: tuple[int, int], number: int) -> list[tuple[int, int]]:
    """Return the height and width of each level, halved and rounded up."""
    shapes = [shape]
    while len(shapes) < number:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes


def write_levels(plane: LabelPlane, levels: Sequence[zarr.Array[Any]], block: int, put: Put, take: Take) -> None:
    """Write all levels: the first from `plane`, each further one from the one before.

    A pixel of a further level is the maximum of four, so that a line of one pixel's width stays a line.

    Parameters
    ----------
    plane
        Plane to write.
    levels
        Arrays of the levels, full size first.
    block
        Height and width of the parts that are written at once, whole chunks.
    put, take
        Functions that write a block at y, x into a level, and read rows and columns of a level.
    """
    for y, x in _places(plane.shape, block):
        ends = min(y + block, plane.shape[0]), min(x + block, plane.shape[1])
        put(levels[0], y, x, plane.read((y, ends[0]), (x, ends[1])))
    for finer, coarser in zip(levels, levels[1:], strict=False):
        height, width = coarser.shape[-2:]
        for y, x in _places((height, width), block):
            part = take(finer, slice(2 * y, 2 * (y + block)), slice(2 * x, 2 * (x + block)))
            put(coarser, y, x, halved_by_maximum(part))


def _places(shape: tuple[int, int], block: int) -> Iterator[tuple[int, int]]:
    for y in range(0, shape[0], block):
        for x in range(0, shape[1], block):
            yield y, x
