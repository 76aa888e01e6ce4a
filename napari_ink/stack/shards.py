"""Shards of a conversion, which are written, read back, and compared by checksums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import product

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import NapariInkError, OutputError
from napari_ink.halving import halved_by_mean
from napari_ink.stack.depth_stack import Grey, ReadBlock
from napari_ink.stack.pyramid import SHARD_PX
from napari_ink.stack.shard_file import BAND_LAYERS, Corner, ShardedLevel, ShardPacker, check_sum

Place = tuple[int, int, int, int]


def places_of(levels: Sequence[ShardedLevel]) -> list[Place]:
    """Return the places of all shards of all levels: level and first voxel ``z, y, x``."""
    return [(number, *corner) for number, level in enumerate(levels) for corner in level.corners()]


def bytes_of(level: ShardedLevel, corner: Corner) -> int:
    """Return the size of a shard's grey values in bytes, uncompressed."""
    voxels: int = math.prod(part.stop - part.start for part in level.block(corner))
    return voxels * level.dtype.itemsize


def write_shards(
    level: ShardedLevel, read: ReadBlock, corners: Sequence[Corner], in_bands: bool, is_last: bool
) -> list[int]:
    """Write shards that lie side by side in one row, and return the checksums of their grey values.

    Parameters
    ----------
    level
        The level to write to.
    read
        Function that reads the values.
    corners
        First voxels of the shards, from left to right.
    in_bands
        Whether to read a few layers at a time, and not all at once.
    is_last
        Whether to read the shards back. Computing the next level reads those of all other levels back.

    Raises
    ------
    NapariInkError
        If a shard reads back differently.
    """
    blocks = [level.block(corner) for corner in corners]
    (z, y, first), (_, _, last) = blocks[0], blocks[-1]
    packers = [ShardPacker(level, corner) for corner in corners]
    layers = BAND_LAYERS if in_bands else z.stop - z.start
    for start in range(z.start, z.stop, layers):
        values = read(slice(start, min(start + layers, z.stop)), y, slice(first.start, last.stop))
        for packer, (_, _, x) in zip(packers, blocks, strict=True):
            packer.add(values[:, :, x.start - first.start : x.stop - first.start])
    del values  # not needed while the shards are written and read back
    for packer, corner in zip(packers, corners, strict=True):
        packer.write()
        if is_last:
            _read_back(level, packer.check, corner)
    return [packer.check for packer in packers]


def read_halved(finer: ShardedLevel, checks: dict[Corner, int], z: slice, y: slice, x: slice, step: int = 1) -> Grey:
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
    out: Grey = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), finer.dtype)
    half = SHARD_PX // 2
    for top, left in product(range(0, out.shape[1], half), range(0, out.shape[2], half)):
        # One shard of the finer level becomes half a shard's rows and columns here.
        corner = (z.start, 2 * (y.start + top), 2 * (x.start + left))
        _read_back(finer, checks[corner], corner, out[:, top : top + half, left : left + half])
    return out


def reads_back(level: ShardedLevel, check: int, corner: Corner) -> bool:
    """Whether a shard on the disk can be read and has the given checksum."""
    with suppress(NapariInkError):
        _read_back(level, check, corner)
        return True
    return False


def _read_back(level: ShardedLevel, check: int, corner: Corner, halved: Grey | None = None) -> None:
    """Read a shard from the disk, fill `halved` with its means, and raise if its checksum differs."""
    z, y, x = corner
    where = f"The shard at layer {z}, row {y}, column {x} of level {level.name}"
    remedy = "check the disk, and run again to write damaged shards once more"
    found, at = 0, 0
    with decoder_errors(OutputError, where, remedy):
        for band in level.bands(corner):
            found = check_sum(band, found)
            if halved is not None:
                halved[at : at + len(band)] = halved_by_mean(band)
            at += len(band)
    if found != check:
        raise NapariInkError(f"{where} reads back differently; {remedy}.")
