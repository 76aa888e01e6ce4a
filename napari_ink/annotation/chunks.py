"""Label planes in chunks: some in memory, all of them in a Zarr that any reader opens."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from napari_ink.annotation.durable_zarr import DurableStore
from napari_ink.annotation.edits import CHUNK_PX, PLANES, Plane, UInt8Array, plane_shape

_KEPT_BYTES = 64 * 2**20
Key = tuple[Plane, int, int]
_MEANING = {
    "ink": {"0": "unreviewed", "1": "papyrus", "2": "ink"},
    "edge": {"0": "unreviewed", "1": "edge", "2": "not an edge"},
    "review": {"0": "unreviewed", "1": "in progress", "2": "reviewed", "3": "flagged"},
}


def make_planes(folder: Path, shape: tuple[int, int]) -> None:
    """Make the empty Zarr of a segment's planes, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    group = zarr.open_group(DurableStore(partial), mode="w-", zarr_format=3)
    for plane in PLANES:
        array = group.create_array(
            plane,
            shape=plane_shape(plane, shape),
            chunks=(CHUNK_PX, CHUNK_PX),
            dtype="uint8",
            fill_value=0,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
            config={"write_empty_chunks": False},
        )
        array.attrs.update({"meaning": _MEANING[plane]})
    os.replace(partial, folder)


class Chunks:
    """The chunks of all planes. Changed ones stay in memory until they are written; the rest is kept within a bound.

    Not safe for several threads by itself: its owner holds a lock around every call but `store`.

    Parameters
    ----------
    folder
        The Zarr.
    shape
        The segment's height and width in pixels.
    read_only
        Whether nothing is ever written.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], read_only: bool = False) -> None:
        store = LocalStore(folder, read_only=True) if read_only else DurableStore(folder)
        group = zarr.open_group(store, mode="r" if read_only else "r+", zarr_format=3)
        self._arrays = {plane: cast("zarr.Array[Any]", group[plane]) for plane in PLANES}
        self._folder = folder
        self._shapes = {plane: plane_shape(plane, shape) for plane in PLANES}
        self._clean: OrderedDict[Key, UInt8Array] = OrderedDict()
        self._dirty: dict[Key, UInt8Array] = {}
        self._leaving: dict[Key, UInt8Array] = {}

    @property
    def is_dirty(self) -> bool:
        """Whether something was changed and is not on the disk yet."""
        return bool(self._dirty or self._leaving)

    def shape(self, plane: Plane) -> tuple[int, int]:
        """Return a plane's height and width."""
        return self._shapes[plane]

    def read(self, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        """Return a part of a plane, an array of its own."""
        out = np.zeros((y[1] - y[0], x[1] - x[0]), np.uint8)
        for key, here, there in self._pieces(plane, y, x):
            if (chunk := self._find(key)) is not None:
                out[there] = chunk[here]
        return out

    def write(self, plane: Plane, y: int, x: int, values: UInt8Array) -> None:
        """Put values into a plane, in memory."""
        for key, here, there in self._pieces(plane, (y, y + values.shape[0]), (x, x + values.shape[1])):
            chunk = self._dirty.get(key)
            if chunk is None:
                found = self._find(key)
                # What is being written to the disk right now is never changed in place.
                chunk = np.zeros(self._extent(key), np.uint8) if found is None else found.copy()
                self._clean.pop(key, None)
                self._dirty[key] = chunk
            chunk[here] = values[there]

    def take_dirty(self) -> dict[Key, UInt8Array]:
        """Return what was changed since the last time, to be stored; `are_stored` or `put_back` must follow."""
        self._leaving, self._dirty = self._dirty, {}
        return dict(self._leaving)

    def are_stored(self) -> None:
        """Count what was taken as safe on the disk."""
        for key, chunk in self._leaving.items():
            if key not in self._dirty:
                self._keep(key, chunk)
        self._leaving = {}

    def put_back(self) -> None:
        """Count what was taken, and could not be stored, as changed again, unless it has been since."""
        self._dirty = self._leaving | self._dirty
        self._leaving = {}

    def store(self, key: Key, chunk: UInt8Array) -> None:
        """Write one chunk to disk."""
        plane, row, column = key
        y, x = row * CHUNK_PX, column * CHUNK_PX
        self._arrays[plane][y : y + chunk.shape[0], x : x + chunk.shape[1]] = chunk

    def stored(self, plane: Plane) -> set[tuple[int, int]]:
        """Return row and column of every chunk of a plane that holds anything, on disk or in memory."""
        folder = self._folder / plane / "c"
        found = {(int(path.parent.name), int(path.name)) for path in folder.glob("[0-9]*/[0-9]*")}
        return found | {
            key[1:] for kept in (self._dirty, self._leaving, self._clean) for key in kept if key[0] == plane
        }

    def pieces(self, plane: Plane, y: int, x: int, values: UInt8Array) -> Iterator[tuple[int, int, UInt8Array]]:
        """Cut a block along the chunks."""
        for key, here, there in self._pieces(plane, (y, y + values.shape[0]), (x, x + values.shape[1])):
            yield key[1] * CHUNK_PX + here[0].start, key[2] * CHUNK_PX + here[1].start, values[there]

    def _extent(self, key: Key) -> tuple[int, int]:
        plane, row, column = key
        height, width = self._shapes[plane]
        return min(CHUNK_PX, height - row * CHUNK_PX), min(CHUNK_PX, width - column * CHUNK_PX)

    def _find(self, key: Key) -> UInt8Array | None:
        """Return a chunk from memory or disk, or None where nothing was ever drawn."""
        for changed in (self._dirty, self._leaving):
            if (chunk := changed.get(key)) is not None:
                return chunk
        if (chunk := self._clean.get(key)) is not None:
            self._clean.move_to_end(key)
            return chunk
        plane, row, column = key
        if not (self._folder / plane / "c" / str(row) / str(column)).exists():
            return None
        height, width = self._extent(key)
        y, x = row * CHUNK_PX, column * CHUNK_PX
        read = np.asarray(self._arrays[plane][y : y + height, x : x + width], np.uint8)
        self._keep(key, read)
        return read

    def _keep(self, key: Key, chunk: UInt8Array) -> None:
        self._clean[key] = chunk
        self._clean.move_to_end(key)
        while len(self._clean) * CHUNK_PX**2 > _KEPT_BYTES:
            self._clean.popitem(last=False)

    def _pieces(
        self, plane: Plane, y: tuple[int, int], x: tuple[int, int]
    ) -> Iterator[tuple[Key, tuple[slice, slice], tuple[slice, slice]]]:
        for row in range(y[0] // CHUNK_PX, -(-y[1] // CHUNK_PX)):
            top, bottom = max(y[0], row * CHUNK_PX), min(y[1], (row + 1) * CHUNK_PX)
            for column in range(x[0] // CHUNK_PX, -(-x[1] // CHUNK_PX)):
                left, right = max(x[0], column * CHUNK_PX), min(x[1], (column + 1) * CHUNK_PX)
                here = (
                    slice(top - row * CHUNK_PX, bottom - row * CHUNK_PX),
                    slice(left - column * CHUNK_PX, right - column * CHUNK_PX),
                )
                yield (plane, row, column), here, (slice(top - y[0], bottom - y[0]), slice(left - x[0], right - x[0]))
