"""The shards of a conversion: each is written, read back, and held against the check sum of what it should be."""

from __future__ import annotations

import math
import zlib
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import NapariInkError, OutputError
from napari_ink.stack.depth_stack import Grey, ReadBlock
from napari_ink.stack.pyramid import SHARD_PX, halve

if TYPE_CHECKING:
    import zarr

Place = tuple[int, int, int, int]


def places_of(arrays: list[zarr.Array[Any]]) -> list[Place]:
    """Return where all shards of all levels are: the level, and the first voxel ``z, y, x``."""
    places: list[Place] = []
    for level, array in enumerate(arrays):
        steps = zip(array.shape, array.shards or array.chunks, strict=True)
        zs, ys, xs = (range(0, length, size) for length, size in steps)
        places += [(level, z, y, x) for z, y, x in product(zs, ys, xs)]
    return places


def bytes_of(arrays: list[zarr.Array[Any]], place: Place) -> int:
    """Return how many bytes of grey values a shard holds."""
    array = arrays[place[0]]
    voxels: int = math.prod(part.stop - part.start for part in _block(array, place))
    return voxels * array.dtype.itemsize


def write_shard(arrays: list[zarr.Array[Any]], read: ReadBlock, place: Place) -> int:
    """Write one shard, and return the check sum of what was written.

    It is read back, and held against that, when the next level is made of it; shards of the last level at once.

    Raises
    ------
    NapariInkError
        If it reads back differently.
    """
    array = arrays[place[0]]
    block = _block(array, place)
    values = read(*block)
    check = check_sum(values)
    array[block] = values
    del values
    if place[0] == len(arrays) - 1:
        _read_back(array, check, block)
    return check


def read_halved(
    finer: zarr.Array[Any], checks: dict[tuple[int, int, int], int], z: slice, y: slice, x: slice, step: int = 1
) -> Grey:
    """Read a shard of a level by halving the level before, shard by shard, each held against its check sum.

    Raises
    ------
    NapariInkError
        If one reads back differently.
    """
    depth, height, width = finer.shape
    out: Grey = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), finer.dtype)
    half = SHARD_PX // 2
    for top, left in product(range(0, out.shape[1], half), range(0, out.shape[2], half)):
        part = out[:, top : top + half, left : left + half]
        rows = slice(2 * (y.start + top), min(2 * (y.start + top + part.shape[1]), height))
        columns = slice(2 * (x.start + left), min(2 * (x.start + left + part.shape[2]), width))
        check = checks[z.start, rows.start, columns.start]
        part[:] = halve(_read_back(finer, check, (z, rows, columns)))
    return out


def check_sum(values: Grey) -> int:
    """Return the CRC-32 of grey values, the same on every machine."""
    little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return zlib.crc32(np.ascontiguousarray(little_endian).data)


def _block(array: zarr.Array[Any], place: Place) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(start, min(start + size, length))
        for start, size, length in zip(place[1:], array.shards or array.chunks, array.shape, strict=True)
    )
    return z, y, x


def reads_back(arrays: list[zarr.Array[Any]], place: Place, check: int) -> bool:
    """Whether a shard on the disk has a check sum."""
    array = arrays[place[0]]
    with suppress(NapariInkError):
        _read_back(array, check, _block(array, place))
        return True
    return False


def _read_back(array: zarr.Array[Any], check: int, block: tuple[slice, slice, slice]) -> Grey:
    """Read what was written, and see that it is what it was."""
    z, y, x = block
    where = f"What was written at layer {z.start}, row {y.start}, column {x.start} of a level"
    remedy = "look at the disk, and run again: what is damaged is written anew"
    with decoder_errors(OutputError, where, remedy):
        values = np.asarray(array[block])
    if check_sum(values) != check:
        raise NapariInkError(f"{where} reads back differently; {remedy}.")
    return values
