"""Label planes in chunks: all of them in a Zarr store on disk, recent and changed ones in memory."""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import LocalStore

from napari_ink.annotation.store.durable_zarr import DurableStore
from napari_ink.annotation.store.edits import CHUNK_PX, LARGEST_VALUE, PLANES, Plane, known_values, plane_shape
from napari_ink.decoding import check_regular, decoder_errors, read_bounded
from napari_ink.durable import make_folder, new_folder
from napari_ink.errors import ProjectError
from napari_ink.typing import UInt8Array

# Unchanged chunks that stay in memory; changed ones stay in any case.
_KEPT_BYTES = 64 * 2**20
Key = tuple[Plane, int, int]
_MEANING = {
    "ink": {"0": "unreviewed", "1": "papyrus", "2": "ink"},
    "edge": {"0": "unreviewed", "1": "edge", "2": "not an edge"},
    "review": {"0": "unreviewed", "1": "in progress", "2": "reviewed", "3": "flagged"},
}


def make_planes(folder: Path, shape: tuple[int, int]) -> None:
    """Create the empty Zarr store of a segment's planes under a temporary name, and rename it when it is complete."""
    make_folder(folder.parent)
    with new_folder(folder) as partial:
        _write_empty_planes(partial, shape)


def _write_empty_planes(partial: Path, shape: tuple[int, int]) -> None:
    group = zarr.open_group(DurableStore(partial), mode="w-", zarr_format=3)
    for plane in PLANES:
        array = group.create_array(
            plane,
            shape=plane_shape(plane, shape),
            chunks=(CHUNK_PX, CHUNK_PX),
            dtype="uint8",
            fill_value=0,
            # The checksum comes last: without it, a flipped bit would silently decode to other labels.
            compressors=(BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()),
            config={"write_empty_chunks": False},
        )
        array.attrs.update({"meaning": _MEANING[plane]})


class Chunks:
    """The chunks of all planes; changed ones stay in memory until they are written, others up to a limit.

    Not thread-safe: the owner holds a lock around every call except `store`.

    Parameters
    ----------
    folder
        Folder of the Zarr store.
    shape
        The segment's height and width in pixels.
    read_only
        Whether the chunks are open for reading only.

    Attributes
    ----------
    strange : set of tuple
        Planes and unknown values that were found in chunks; they are read as 0, unreviewed.
    warnings : list of str
        Sentences about chunks that were damaged and restored.
    rebuild : callable
        Returns the values of a damaged chunk from the journal, or None.

    Raises
    ------
    ProjectError
        If the Zarr store cannot be read, or its planes do not fit the segment.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], read_only: bool = False) -> None:
        self._folder = folder
        self._shapes = {plane: plane_shape(plane, shape) for plane in PLANES}
        self._arrays = _open_arrays(folder, self._shapes, read_only)
        self._read_only = read_only
        self.strange: set[tuple[Plane, int]] = set()
        self.warnings: list[str] = []
        self.rebuild: Callable[[Key], UInt8Array | None] = lambda _: None
        # A chunk goes from dirty (changed) to leaving (being written) to clean; the newest of the three counts.
        self._clean: OrderedDict[Key, UInt8Array] = OrderedDict()
        self._dirty: dict[Key, UInt8Array] = {}
        self._leaving: dict[Key, UInt8Array] = {}
        # Chunks without a file, so that the first stroke in one does not wait for the disk.
        self._absent: set[Key] = set()

    @property
    def is_dirty(self) -> bool:
        """Whether there are changes that are not on disk yet."""
        return bool(self._dirty or self._leaving)

    def shape(self, plane: Plane) -> tuple[int, int]:
        """Return a plane's height and width."""
        return self._shapes[plane]

    def read(self, plane: Plane, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        """Return a part of a plane ``(y, x)`` as a new array.

        Raises
        ------
        ProjectError
            If a chunk cannot be read.
        """
        out = np.zeros((y[1] - y[0], x[1] - x[0]), np.uint8)
        for key, here, there in self._pieces(plane, y, x):
            if (chunk := self._find(key)) is not None:
                out[there] = chunk[here]
        return out

    def write(self, plane: Plane, y: int, x: int, values: UInt8Array) -> None:
        """Change values of a plane, in memory."""
        for key, here, there in self._pieces(plane, (y, y + values.shape[0]), (x, x + values.shape[1])):
            chunk = self._dirty.get(key)
            if chunk is None:
                found = self._find(key)
                # Copied, since the writer thread may be writing this array to disk right now.
                chunk = np.zeros(self._extent(key), np.uint8) if found is None else found.copy()
                self._clean.pop(key, None)
                self._absent.discard(key)
                self._dirty[key] = chunk
            chunk[here] = values[there]

    def take_dirty(self) -> dict[Key, UInt8Array]:
        """Return the chunks changed since the last call, to be written; call `are_stored` or `put_back` afterwards."""
        self._leaving, self._dirty = self._dirty, {}
        return dict(self._leaving)

    def are_stored(self) -> None:
        """Mark the chunks from `take_dirty` as written."""
        for key, chunk in self._leaving.items():
            if key not in self._dirty:
                self._keep(key, chunk)
        self._leaving = {}

    def put_back(self) -> None:
        """Mark the chunks from `take_dirty` as changed again after a failed write; newer changes take precedence."""
        self._dirty = self._leaving | self._dirty
        self._leaving = {}

    def store(self, key: Key, chunk: UInt8Array) -> None:
        """Write one chunk to disk."""
        plane, row, column = key
        y, x = row * CHUNK_PX, column * CHUNK_PX
        self._arrays[plane][y : y + chunk.shape[0], x : x + chunk.shape[1]] = chunk

    def stored(self, plane: Plane) -> set[tuple[int, int]]:
        """Return row and column of every chunk of a plane that exists, on disk or in memory."""
        folder = self._folder / plane / "c"
        named = [(path.parent.name, path.name) for path in folder.glob("[0-9]*/[0-9]*")]
        found = {(int(row), int(column)) for row, column in named if row.isdecimal() and column.isdecimal()}
        rows, columns = (-(-length // CHUNK_PX) for length in self._shapes[plane])
        return {(row, column) for row, column in found if row < rows and column < columns} | {
            key[1:] for kept in (self._dirty, self._leaving, self._clean) for key in kept if key[0] == plane
        }

    def histogram(self, key: Key) -> npt.NDArray[np.int64]:
        """Return the number of pixels of each value in a chunk, including unknown values.

        Raises
        ------
        ProjectError
            If it cannot be read.
        """
        in_memory = self._dirty.get(key, self._leaving.get(key, self._clean.get(key)))
        chunk = self.stored_values(key) if in_memory is None else in_memory
        return np.bincount([] if chunk is None else chunk.ravel())

    def pieces(self, plane: Plane, y: int, x: int, values: UInt8Array) -> Iterator[tuple[int, int, UInt8Array]]:
        """Yield the parts of a block in each chunk: first row and column on the plane, and values."""
        for key, here, there in self._pieces(plane, (y, y + values.shape[0]), (x, x + values.shape[1])):
            yield key[1] * CHUNK_PX + here[0].start, key[2] * CHUNK_PX + here[1].start, values[there]

    def _extent(self, key: Key) -> tuple[int, int]:
        plane, row, column = key
        height, width = self._shapes[plane]
        return min(CHUNK_PX, height - row * CHUNK_PX), min(CHUNK_PX, width - column * CHUNK_PX)

    def _find(self, key: Key) -> UInt8Array | None:
        """Return a chunk from memory or disk, or None if nothing was ever drawn in it."""
        for changed in (self._dirty, self._leaving):
            if (chunk := changed.get(key)) is not None:
                return chunk
        if (chunk := self._clean.get(key)) is not None:
            self._clean.move_to_end(key)
            return chunk
        if key in self._absent:
            return None
        try:
            read = self.stored_values(key)
        except ProjectError as error:
            return self._restored(key, error)
        if read is None:
            if not self._read_only:  # otherwise another program may write it
                self._absent.add(key)
            return None
        known = known_values(key[0], read)
        if known is not read:
            self.strange |= {(key[0], value) for value in np.unique(read).tolist() if value > LARGEST_VALUE[key[0]]}
        self._keep(key, known)
        return known

    def stored_values(self, key: Key) -> UInt8Array | None:
        """Return a chunk as it is on disk; None if it has no file.

        Raises
        ------
        ProjectError
            If it cannot be read.
        """
        path = self.path_of(key)
        if not os.path.lexists(path):
            return None
        plane, row, column = key
        height, width = self._extent(key)
        y, x = row * CHUNK_PX, column * CHUNK_PX
        with decoder_errors(ProjectError, path, "restore it from a backup, or restore a version of the labels"):
            _check_chunk(path, self._arrays[plane])
            return np.asarray(self._arrays[plane][y : y + height, x : x + width], np.uint8)

    def _restored(self, key: Key, error: ProjectError) -> UInt8Array:
        """Return a damaged chunk restored from the journal, and keep the damaged file; raise `error` if impossible."""
        path = self.path_of(key)
        kept = self._folder.with_name(f"{self._folder.name}.damaged")
        if isinstance(error.__cause__, PermissionError) or (chunk := self.rebuild(key)) is None:
            raise error
        if self._read_only:
            self._keep(key, chunk)
            self.warnings.append(f"{path} is damaged; its labels are read from the journal instead.")
            return chunk
        try:
            kept.mkdir(exist_ok=True)
            os.rename(path, next(_free_names(kept / "-".join(map(str, key)))))
        except OSError:
            raise error from None
        self._dirty[key] = chunk
        self.warnings.append(
            f"{path} was damaged; its labels were restored from the journal, and the file is kept in {kept.name}."
        )
        return chunk

    def path_of(self, key: Key) -> Path:
        """Return the path of a chunk's file."""
        plane, row, column = key
        return self._folder / plane / "c" / str(row) / str(column)

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


def _open_arrays(folder: Path, shapes: dict[Plane, tuple[int, int]], read_only: bool) -> dict[Plane, zarr.Array[Any]]:
    """Return the opened planes of a Zarr store, after checking that they fit the segment."""
    for metadata in ("zarr.json", *(f"{plane}/zarr.json" for plane in PLANES)):
        read_bounded(folder / metadata, ProjectError)  # refuses pipes, which would block, and huge files
    with decoder_errors(ProjectError, folder, "restore it from a backup"):
        store = LocalStore(folder, read_only=True) if read_only else DurableStore(folder)
        group = zarr.open_group(store, mode="r" if read_only else "r+", zarr_format=3)
        arrays = {plane: cast("zarr.Array[Any]", group[plane]) for plane in PLANES}
        for plane, array in arrays.items():
            found = (array.shape, array.dtype, array.chunks, array.shards)
            if found != (shapes[plane], np.dtype(np.uint8), (CHUNK_PX, CHUNK_PX), None):
                raise ValueError(f"its {plane} plane is {_by(array.shape)} instead of {_by(shapes[plane])}")
    return arrays


def _check_chunk(path: Path, array: zarr.Array[Any]) -> None:
    """Refuse a chunk file that would not decode to the size of a chunk, before memory is allocated for it."""
    size = check_regular(path, ProjectError)
    if not any(isinstance(one, BloscCodec) for one in array.compressors):
        return
    if any(
        isinstance(one, Crc32cCodec) for one in array.compressors
    ):  # four bytes at the end, unless an earlier version made it
        size -= 4
    with path.open("rb") as file:
        header = file.read(16)  # Blosc: four bytes, then three sizes: decoded, block and encoded
    unpacked, _, packed = struct.unpack_from("<III", header.ljust(16, b"\0"), 4)
    if unpacked != CHUNK_PX**2 or packed != size:
        raise ValueError("it is damaged")


def _free_names(path: Path) -> Iterator[Path]:
    names = (path.with_name(f"{path.name}-{number}") for number in count(1))
    return (one for one in names if not os.path.lexists(one))


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
