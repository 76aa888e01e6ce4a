"""Shards of a Zarr array as files, packed and unpacked a few layers at a time.

zarr-python writes and reads the same files (``sharding_indexed`` of Zarr 3). Its way takes whole shards in memory at
once, which costs a conversion twice the processor time: pages that are mapped anew for each shard, and copies that do
not fit the processor's cache (docs/decisions/0018-conversion.md).
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import RawIOBase
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import Zstd

from napari_ink.decoding import check_regular
from napari_ink.durable import replacing_unsynced
from napari_ink.errors import OutputError
from napari_ink.stack.depth_stack import Grey

# A multiple of the layers in every chunk. 512 × 512 pixels of eight layers are 4 MB, which fit the cache.
BAND_LAYERS = 8
ZSTD_LEVEL = 1
_ABSENT = 2**64 - 1
_CASTAGNOLI = 0x82F63B78

Corner = tuple[int, int, int]
Block = tuple[slice, slice, slice]


@dataclass(frozen=True)
class ShardedLevel:
    """One level of a conversion: a Zarr array in shards.

    Attributes
    ----------
    folder
        Folder of the array.
    shape
        Depth layers, height and width.
    dtype
        Dtype of the grey values.
    chunks, shards
        Sizes of chunks and of shards, along each axis.
    """

    folder: Path
    shape: Corner
    dtype: np.dtype[Any]
    chunks: Corner
    shards: Corner

    @property
    def name(self) -> str:
        """The level's number, as in its path."""
        return self.folder.name

    def corners(self) -> list[Corner]:
        """Return the first voxels of all shards."""
        zs, ys, xs = (range(0, length, size) for length, size in zip(self.shape, self.shards, strict=True))
        return list(product(zs, ys, xs))

    def block(self, corner: Corner) -> Block:
        """Return the ranges of the shard that begins at a voxel; those at the border are smaller."""
        z, y, x = (
            slice(start, min(start + size, length))
            for start, size, length in zip(corner, self.shards, self.shape, strict=True)
        )
        return z, y, x

    def path(self, corner: Corner) -> Path:
        """Return the file of the shard that begins at a voxel."""
        parts = (str(start // size) for start, size in zip(corner, self.shards, strict=True))
        return self.folder.joinpath("c", *parts)

    def bands(self, corner: Corner) -> Iterator[Grey]:
        """Yield a shard from its file, a few layers ``(z, y, x)`` at a time.

        Raises
        ------
        OutputError
            If there is no regular file.
        Exception
            Of any class, if the file is damaged.
        """
        path = self.path(corner)
        check_regular(path, OutputError)
        z, y, x = (part.stop - part.start for part in self.block(corner))
        layers, tall, wide = self.chunks
        chunk: Grey = np.empty(self.chunks, self.dtype.newbyteorder("<"))
        with path.open("rb", buffering=0) as file:
            index = self._read_index(file)
            for start in range(0, z, BAND_LAYERS):
                band: Grey = np.empty((min(BAND_LAYERS, z - start), y, x), self.dtype)
                for top, row, column in product(range(0, len(band), layers), range(0, y, tall), range(0, x, wide)):
                    offset, length = index[(start + top) // layers, row // tall, column // wide].tolist()
                    if length > _most_packed(chunk.nbytes):
                        raise ValueError("the index of its chunks is damaged")
                    file.seek(offset)
                    _CODEC.decode(file.read(length), chunk)
                    part = band[top : top + layers, row : row + tall, column : column + wide]
                    part[...] = chunk[: part.shape[0], : part.shape[1], : part.shape[2]]
                yield band

    def _read_index(self, file: RawIOBase) -> npt.NDArray[np.uint64]:
        counts = self.chunk_counts()
        nbytes = 16 * math.prod(counts)
        file.seek(-nbytes - 4, os.SEEK_END)
        stored = file.read(nbytes + 4) or b""
        if crc32c(stored[:nbytes]) != int.from_bytes(stored[nbytes:], "little"):
            raise ValueError("the index of its chunks is damaged")
        return np.frombuffer(stored[:nbytes], "<u8").reshape(*counts, 2)

    def chunk_counts(self) -> Corner:
        """Return the numbers of chunks in a shard, along each axis."""
        z, y, x = (shard // chunk for shard, chunk in zip(self.shards, self.chunks, strict=True))
        return z, y, x


_CODEC = Zstd(level=ZSTD_LEVEL)


class ShardPacker:
    """Pack one shard from bands of layers in their order, and write its file.

    Parameters
    ----------
    level
        Array that the shard is part of.
    corner
        First voxel of the shard.

    Attributes
    ----------
    check : int
        Checksum of the values so far.
    """

    def __init__(self, level: ShardedLevel, corner: Corner) -> None:
        self._level, self._corner = level, corner
        self._packed: dict[Corner, bytes] = {}
        self._layers = 0
        self.check = 0

    def add(self, values: Grey) -> None:
        """Pack the next layers ``(z, y, x)``; all but the last ones must be a multiple of `BAND_LAYERS`."""
        for start in range(0, len(values), BAND_LAYERS):
            band = np.ascontiguousarray(values[start : start + BAND_LAYERS])
            self.check = check_sum(band, self.check)
            self._pack(band)
            self._layers += len(band)

    def _pack(self, band: Grey) -> None:
        layers, tall, wide = self._level.chunks
        depth, height, width = band.shape
        for top, row, column in product(range(0, depth, layers), range(0, height, tall), range(0, width, wide)):
            part = band[top : top + layers, row : row + tall, column : column + wide]
            if part.shape == self._level.chunks:
                chunk = np.ascontiguousarray(part, part.dtype.newbyteorder("<"))
            else:
                chunk = np.zeros(self._level.chunks, part.dtype.newbyteorder("<"))
                chunk[: part.shape[0], : part.shape[1], : part.shape[2]] = part
            place = ((self._layers + top) // layers, row // tall, column // wide)
            self._packed[place] = _CODEC.encode(chunk)

    def write(self) -> None:
        """Write the file of the shard beside its place, and move it there.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there before is untouched.
        """
        path, counts = self._level.path(self._corner), self._level.chunk_counts()
        index = np.full((*counts, 2), _ABSENT, "<u8")
        places = [place for place in _order(counts) if place in self._packed]  # there are none beyond the array
        offset = 0
        for place in places:
            index[place] = offset, len(self._packed[place])
            offset += len(self._packed[place])
        path.parent.mkdir(parents=True, exist_ok=True)
        # The disk is synchronised once, at the end of a conversion; until then, checksums tell what to write again.
        with replacing_unsynced(path) as file:
            file.writelines(self._packed[place] for place in places)
            file.write(index.tobytes() + crc32c(index.tobytes()).to_bytes(4, "little"))


def _most_packed(nbytes: int) -> int:
    """Return the most bytes that values may take once packed: Zstandard makes noise longer by less than this."""
    return nbytes + nbytes // 100 + 1024


def check_sum(values: Grey, before: int = 0) -> int:
    """Return the CRC-32 of grey values, which is the same on machines of any byte order.

    Parameters
    ----------
    values
        Grey values.
    before
        Checksum of the values before these.
    """
    little_endian = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return zlib.crc32(little_endian.data, before)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of a few bytes, such as a shard's index.

    Zarr's own function for it is in a different package from one version of zarr-python to another.
    """
    check = 0xFFFFFFFF
    for byte in data:
        check = _crc32c_table()[(check ^ byte) & 0xFF] ^ (check >> 8)
    return check ^ 0xFFFFFFFF


@lru_cache(1)
def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
        table.append(byte)
    return table


@lru_cache(16)
def _order(counts: Corner) -> list[Corner]:
    """Return the places of all chunks of a shard along the Morton curve, as zarr-python orders them."""

    def along_curve(place: Corner) -> int:
        return sum((part >> bit & 1) << (3 * bit + axis) for axis, part in enumerate(place) for bit in range(16))

    layers, rows, columns = map(range, counts)
    return sorted(product(layers, rows, columns), key=along_curve)
