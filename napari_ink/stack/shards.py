"""Shards of a conversion, which are written, read back, and compared by checksums."""

from __future__ import annotations

import math
import zlib
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import NapariInkError, OutputError
from napari_ink.halving import halved_by_mean
from napari_ink.stack.depth_stack import Grey, ReadBlock
from napari_ink.stack.pyramid import SHARD_PX

if TYPE_CHECKING:
    import zarr

Place = tuple[int, int, int, int]


def places_of(arrays: list[zarr.Array[Any]]) -> list[Place]:
    """Return the places of all shards of all levels: level and first voxel ``z, y, x``."""
    places: list[Place] = []
    for level, array in enumerate(arrays):
        steps = zip(array.shape, array.shards or array.chunks, strict=True)
        zs, ys, xs = (range(0, length, size) for length, size in steps)
        places += [(level, z, y, x) for z, y, x in product(zs, ys, xs)]
    return places


def bytes_of(arrays: list[zarr.Array[Any]], place: Place) -> int:
    """Return the size of a shard's grey values in bytes, uncompressed."""
    array = arrays[place[0]]
    voxels: int = math.prod(part.stop - part.start for part in _block(array, place))
    return voxels * array.dtype.itemsize


def write_shard(arrays: list[zarr.Array[Any]], read: ReadBlock, place: Place) -> int:
    """Write one shard, and return the checksum of its grey values.

    Computing the next level reads the shard back and compares the checksum; shards of the last level are read back
    here.

    Raises
    ------
    NapariInkError
        If the shard reads back differently.
    """
    array = arrays[place[0]]
    block = _block(array, place)
    values = read(*block)
    check = check_sum(values)
    array[block] = values
    del values  # not needed while the shard is read back, which takes as much memory
    if place[0] == len(arrays) - 1:
        _read_back(array, check, block)
    return check


def read_halved(
    finer: zarr.Array[Any], checks: dict[tuple[int, int, int], int], z: slice, y: slice, x: slice, step: int = 1
) -> Grey:
    """Return a block of a level by halving the level before, one shard at a time, and compare the checksum of each.

    Parameters
    ----------
    finer
        Array of the level before, with twice as many rows and columns.
    checks
        Checksums of its shards, by their first voxel ``z, y, x``.
    z, y, x
        Half-open ranges of the block, which must be those of a shard.
    step
        Ignored; makes the function a `ReadBlock`.

    Raises
    ------
    NapariInkError
        If a shard reads back differently.
    """
    depth, height, width = finer.shape
    out: Grey = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), finer.dtype)
    half = SHARD_PX // 2
    for top, left in product(range(0, out.shape[1], half), range(0, out.shape[2], half)):
        # One shard of the finer level becomes half a shard's rows and columns here.
        part = out[:, top : top + half, left : left + half]
        rows = slice(2 * (y.start + top), min(2 * (y.start + top + part.shape[1]), height))
        columns = slice(2 * (x.start + left), min(2 * (x.start + left + part.shape[2]), width))
        check = checks[z.start, rows.start, columns.start]
        part[:] = halved_by_mean(_read_back(finer, check, (z, rows, columns)))
    return out


def check_sum(values: Grey) -> int:
    """Return the CRC-32 of grey values, which is the same on machines of any byte order."""
    little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return zlib.crc32(np.ascontiguousarray(little_endian).data)


def _block(array: zarr.Array[Any], place: Place) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(start, min(start + size, length))
        for start, size, length in zip(place[1:], array.shards or array.chunks, array.shape, strict=True)
    )
    return z, y, x


def reads_back(arrays: list[zarr.Array[Any]], place: Place, check: int) -> bool:
    """Whether a shard on the disk can be read and has the given checksum."""
    array = arrays[place[0]]
    with suppress(NapariInkError):
        _read_back(array, check, _block(array, place))
        return True
    return False


def _read_back(array: zarr.Array[Any], check: int, block: tuple[slice, slice, slice]) -> Grey:
    """Return a block as it is on the disk; raise if its checksum differs."""
    z, y, x = block
    where = f"The shard at layer {z.start}, row {y.start}, column {x.start} of level {array.path}"
    remedy = "check the disk, and run again to write damaged shards once more"
    with decoder_errors(OutputError, where, remedy):
        values = np.asarray(array[block])
    if check_sum(values) != check:
        raise NapariInkError(f"{where} reads back differently; {remedy}.")
    return values
