"""A depth stack in a Zarr store, on disk or at an address: OME-Zarr with its levels, or one plain array."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey, Level, ReadBlock
from napari_ink.stack.grey import check_dtype, grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.ngff import Said, read_multiscales, steps
from napari_ink.stack.remote import Remote
from napari_ink.stack.sizes import check_shape
from napari_ink.stack.tiff import READ_ERRORS

if TYPE_CHECKING:
    import zarr

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_LARGEST_CHUNK = 2**32
_MOST_TOGETHER = 16


def holds_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((folder / name).is_file() for name in METADATA)


def open_zarr(where: Path | Remote) -> DepthStack:
    """Open a Zarr store as a depth stack.

    Raises
    ------
    StackError
        If it holds no depth stack, or its metadata contradict what is there.
    """
    import zarr

    name = str(where) if isinstance(where, Path) else where.address
    store: Any = where
    if not isinstance(where, Path):
        from napari_ink.stack.remote_store import RemoteStore

        store = RemoteStore(where)
    try:
        node = zarr.open(store, mode="r")
        said = None if isinstance(node, zarr.Array) else read_multiscales(name, dict(node.attrs))
        if isinstance(node, zarr.Array):
            arrays = [node]
        elif said is not None:
            arrays = [_array(name, node, level.path) for level in said.levels]
        else:
            arrays = [_only_array(name, node)]
    except (*READ_ERRORS, AttributeError) as error:  # AttributeError: zarr, over metadata that is a list or null
        raise StackError(f"{name} cannot be read as Zarr ({_reason(error)}); write it again.") from error
    return _from_arrays(where, name, arrays, said, store)


def _array(name: str, group: zarr.Group, path: str) -> zarr.Array[Any]:
    import zarr

    try:
        found = group[path]
    except KeyError as error:
        raise StackError(f"{name} speaks of a level {path!r} that is not there; copy it again.") from error
    if not isinstance(found, zarr.Array):
        raise StackError(f"{name} speaks of a level {path!r} that is no array; write it again.")
    return found


def _only_array(name: str, group: zarr.Group) -> zarr.Array[Any]:
    arrays = {key: array for key, array in group.arrays() if array.ndim >= 3} if group.store.supports_listing else {}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    there = f"holds {', '.join(sorted(arrays))}" if arrays else "holds no array of three axes"
    raise StackError(f"{name} {there}; name the array that is the depth stack, as in {name}/NAME.")


def _from_arrays(
    where: Path | Remote, name: str, arrays: list[zarr.Array[Any]], said: Said | None, store: Any
) -> DepthStack:
    first = arrays[0]
    check_dtype(name, first.dtype)
    shapes = [_spatial(name, array) for array in arrays]
    check_shape(name, shapes[0])
    for array in arrays:
        if array.dtype != first.dtype:
            raise StackError(f"{name} has levels of {first.dtype} and of {array.dtype}; write it again.")
        if np.prod(array.chunks, dtype=object) * array.dtype.itemsize > _LARGEST_CHUNK:
            raise StackError(f"{name} has chunks of {array.chunks}, too large to read; write it in smaller ones.")
    reads = [reading_grey(name, array.dtype, _reading(name, array)) for array in arrays]
    levels = () if said is None else tuple(
        Level(shape, step, read, _together(array))
        for shape, step, read, array in zip(
            shapes[1:], steps(name, said, shapes), reads[1:], arrays[1:], strict=True
        )
    )  # fmt: skip
    stem = where.name if isinstance(where, Path) else where.path.name
    return DepthStack(
        where if isinstance(where, Path) else where.address,
        stem.removesuffix(".zarr").removesuffix(".ome"),
        shapes[0],
        grey_dtype(first.dtype),
        None if said is None else said.voxel_size_um,
        f"{'ome-zarr' if said else 'zarr'} v{first.metadata.zarr_format}, {_chunks_in_words(first)}",
        reads[0],
        home=where.parent if isinstance(where, Path) else None,
        levels=levels,
        scaling=scaling_in_words(first.dtype),
        layers_together=_together(first),
        stored_px=(int(first.chunks[-2]), int(first.chunks[-1])),
        missing=(lambda: _missing_here(where, first)) if isinstance(where, Path) else lambda: _missing_there(store),
    )


def _together(array: zarr.Array[Any]) -> int:
    """Return how many layers come with one; of deep chunks a part, since memory is bounded."""
    return min(int(array.chunks[-3]), _MOST_TOGETHER)


def _spatial(name: str, array: zarr.Array[Any]) -> tuple[int, int, int]:
    """Return the last three of an array's lengths; those before are to be 1."""
    if array.ndim < 3 or any(length != 1 for length in array.shape[:-3]):
        raise StackError(f"{name} has the shape {array.shape}; a depth stack has layers, height and width.")
    depth, height, width = array.shape[-3:]
    return depth, height, width


def _reading(name: str, array: zarr.Array[Any]) -> ReadBlock:
    before: tuple[Any, ...] = (0,) * (array.ndim - 3)

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        rows, columns = slice(y.start, y.stop, step), slice(x.start, x.stop, step)
        if y.start == y.stop or x.start == x.stop or z.start == z.stop:
            lengths = (z.stop - z.start, len(range(y.start, y.stop, step)), len(range(x.start, x.stop, step)))
            return np.empty(lengths, array.dtype)
        try:
            index: Any = (*before, z, rows, columns)
            with getattr(array.store, "failures", nullcontext)():
                return np.asarray(array[index])
        except StackError:
            raise
        except READ_ERRORS as error:
            raise StackError(
                f"{name} cannot be read in layers {z.start} to {z.stop - 1}, rows {y.start} to {y.stop - 1} "
                f"({_reason(error)}); restore it."
            ) from error

    return read


def _chunks_in_words(array: zarr.Array[Any]) -> str:
    chunks = "chunks of " + " × ".join(map(str, array.chunks[-3:]))
    return chunks if array.shards is None else f"{chunks} in shards of " + " × ".join(map(str, array.shards[-3:]))


def _missing_here(folder: Path, array: zarr.Array[Any]) -> str:
    stored = array.shards or array.chunks
    wanted = int(np.prod([-(-length // size) for length, size in zip(array.shape, stored, strict=True)], dtype=object))
    if wanted > 100_000:
        return ""  # counting would take longer than anybody waits
    files = (name for _, _, names in os.walk(folder / array.path) for name in names)
    lost = wanted - sum(name not in METADATA for name in files)
    what = "shards" if array.shards is not None else "chunks"
    return f"{lost} of {wanted} {what} are not there and read as {array.fill_value}" if lost > 0 else ""


def _missing_there(store: Any) -> str:
    return f"{len(store.missing)} chunks are not on the server and read as empty" if store.missing else ""


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
