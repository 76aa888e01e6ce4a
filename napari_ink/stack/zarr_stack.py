"""Depth stacks in Zarr stores (OME-Zarr or a plain array) in a folder, a zip archive or at an address."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.axes import Axes, find_axes
from napari_ink.stack.depth_stack import MOST_TOGETHER, DepthStack, Grey, Level, ReadBlock
from napari_ink.stack.grey import check_dtype, grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.ngff import ImageMetadata, is_pyramid, is_series, ome_attributes, read_multiscales, steps
from napari_ink.stack.sizes import check_shape

if TYPE_CHECKING:
    import zarr

    from napari_ink.stack.remote import Remote

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_FIRST_LEVELS = ("0", "s0")
_MOST_COUNTED = 100_000


@dataclass(frozen=True)
class _Found:
    """The arrays of a stack and their metadata.

    Attributes
    ----------
    name
        Path or address of the store.
    arrays
        Levels with stored chunks, the finest first.
    steps
        Voxels of the first level that make one voxel of each level, along each axis.
    axes
        Positions of depth, height and width.
    metadata
        OME-Zarr metadata of the image; None for plain arrays.
    lost
        Paths of levels without any stored chunk.
    guesses
        Text on what was found to differ from the metadata or guessed, for the format in words.
    """

    name: str
    arrays: tuple[zarr.Array[Any], ...]
    steps: tuple[tuple[int, int, int], ...]
    axes: Axes
    metadata: ImageMetadata | None
    lost: tuple[str, ...]
    guesses: str

    @property
    def first(self) -> zarr.Array[Any]:
        """The array of the finest level."""
        return self.arrays[0]


def holds_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr array or group, also one without its own metadata file but with a first level."""
    if any((folder / name).exists() for name in METADATA):
        return True
    return any((folder / level / name).exists() for level in _FIRST_LEVELS for name in METADATA[:2])


def open_zarr(where: Path | Remote, inside: str = "") -> DepthStack:
    """Open a Zarr store as a depth stack.

    Parameters
    ----------
    where
        Folder or zip archive of the store, or the files at its address.
    inside
        Path of a node inside the store.

    Raises
    ------
    StackError
        If the store holds no depth stack, or its metadata contradict its arrays.
    """
    name = str(where) if isinstance(where, Path) else where.address
    node = _open(where, name, inside)
    place = f"{name}::{inside}" if inside else name
    with decoder_errors(StackError, place, "write it again", "as Zarr"):
        arrays, metadata = _arrays_in(place, node)
        found = _sound(place, arrays, metadata)
    return _stack(where, found)


def _open(where: Path | Remote, name: str, inside: str) -> zarr.Array[Any] | zarr.Group:
    if isinstance(where, Path):
        from napari_ink.zarr_reading import open_node

        return open_node(where, StackError, inside)
    import zarr

    from napari_ink.stack.remote_store import RemoteStore

    with decoder_errors(StackError, name, "write it again", "as Zarr"):
        return zarr.open(RemoteStore(where), mode="r")


def _arrays_in(name: str, node: zarr.Array[Any] | zarr.Group) -> tuple[list[zarr.Array[Any]], ImageMetadata | None]:
    """Return the levels of the only image in a node, and their metadata."""
    import zarr

    if isinstance(node, zarr.Array):
        return [node], None
    attributes = dict(node.attrs)
    metadata = read_multiscales(name, attributes)
    if metadata is not None:
        return [_array(name, node, level.path) for level in metadata.levels], metadata
    if is_series(attributes):
        return _one_image(name, node, _series(node))
    return _without_metadata(name, node)


def _array(name: str, group: zarr.Group, path: str) -> zarr.Array[Any]:
    import zarr

    try:
        found = group[path]
    except KeyError as error:
        raise StackError(f"{name} names a level {path!r} that does not exist; copy it again.") from error
    if not isinstance(found, zarr.Array):
        raise StackError(f"{name} names a level {path!r} that is not an array; write it again.")
    return found


def _series(group: zarr.Group) -> list[str]:
    """Return the names of the images in bioformats2raw's layout."""
    import zarr

    listed = group.get("OME")
    named = ome_attributes(dict(listed.attrs)).get("series") if isinstance(listed, zarr.Group) else None
    if isinstance(named, list) and named:
        return [str(one) for one in named]
    from napari_ink.zarr_reading import child_names

    return [name for name in child_names(group) if name.isdecimal()] or ["0"]


def _one_image(
    name: str, group: zarr.Group, images: Sequence[str]
) -> tuple[list[zarr.Array[Any]], ImageMetadata | None]:
    """Return the levels of the only image in a group, and their metadata; raise if it holds several images."""
    import zarr

    inner = f"{name}/{images[0]}"
    if len(images) > 1:
        more = " and more" if len(images) > 5 else ""
        raise StackError(f"{name} holds the images {', '.join(images[:5])}{more}; name one of them, as in {inner}.")
    node = group.get(images[0])
    if not isinstance(node, zarr.Group) or (metadata := read_multiscales(inner, dict(node.attrs))) is None:
        raise StackError(f"{name} names an image {images[0]} that does not exist; copy it again.")
    return [_array(inner, node, level.path) for level in metadata.levels], metadata


def _without_metadata(name: str, group: zarr.Group) -> tuple[list[zarr.Array[Any]], ImageMetadata | None]:
    """Return the levels in a group without metadata: its only array, a pyramid of arrays, or its only image."""
    import zarr

    from napari_ink.zarr_reading import child_names

    nodes = {child: group.get(child) for child in child_names(group)}
    arrays = {child: one for child, one in nodes.items() if isinstance(one, zarr.Array) and one.ndim >= 3}
    if len(arrays) == 1 or is_pyramid([array.shape for array in arrays.values()]):
        return list(arrays.values()), None
    images = [child for child, one in nodes.items() if isinstance(one, zarr.Group) and _describes_image(one)]
    if images and not arrays:
        return _one_image(name, group, images)
    there = f"holds {', '.join(arrays)}" if arrays else "holds no array of three axes"
    raise StackError(f"{name} {there}; name the array that is the depth stack, as in {name}/NAME.")


def _describes_image(group: zarr.Group) -> bool:
    return ome_attributes(dict(group.attrs)).get("multiscales") is not None


def _sound(name: str, arrays: Sequence[zarr.Array[Any]], metadata: ImageMetadata | None) -> _Found:
    """Return the levels after checking them against each other; levels without any stored chunk are left out."""
    from napari_ink.zarr_reading import has_chunks, sound_array

    axes = find_axes(name, arrays[0].shape, _names(arrays[0], metadata))
    check_dtype(name, arrays[0].dtype)
    check_shape(name, axes.of(arrays[0].shape))
    for array in arrays[1:]:
        if array.dtype != arrays[0].dtype or array.ndim != arrays[0].ndim:
            raise StackError(
                f"{name} has levels of {arrays[0].dtype} {arrays[0].shape} and of {array.dtype} {array.shape}; "
                "write it again."
            )
        find_axes(name, array.shape, _names(array, metadata))
    steps_of = [(1, 1, 1), *_steps(name, metadata, [axes.of(array.shape) for array in arrays])]
    sound = [sound_array(name, array, StackError) for array in arrays]
    # The first level counts even without chunks: a stack that is all empty is a stack, and `missing` says so.
    is_there = [True, *(has_chunks(array) for array in sound[1:])]
    return _Found(
        name,
        tuple(compress(sound, is_there)),
        tuple(compress(steps_of, is_there)),
        axes,
        metadata,
        lost=tuple(array.path for array, there in zip(sound, is_there, strict=True) if not there),
        guesses=_guesses(arrays[0], sound[0], metadata is None and len(arrays) > 1),
    )


def _guesses(stated: zarr.Array[Any], sound: zarr.Array[Any], are_levels_guessed: bool) -> str:
    """Return what was found to differ from the metadata or guessed, in words."""
    from napari_ink.zarr_reading import naming

    guesses = []
    if naming(stated) != naming(sound):
        guesses.append("the separator in their names differs from the metadata")
    if are_levels_guessed:
        guesses.append("its levels are guessed from their sizes")
    return f" ({'; '.join(guesses)})" if guesses else ""


def _names(array: zarr.Array[Any], metadata: ImageMetadata | None) -> tuple[str, ...]:
    """Return the names of an array's axes in lower case, from NGFF, Zarr 3 or xarray; empty if unnamed."""
    if metadata is not None:
        return metadata.axes
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return tuple(str(name).lower() for name in names) if isinstance(names, list | tuple) else ()


def _stack(where: Path | Remote, found: _Found) -> DepthStack:
    first, name, axes, metadata = found.first, found.name, found.axes, found.metadata
    reads = [reading_grey(name, array.dtype, _reading(name, array, axes)) for array in found.arrays]
    shapes = [axes.of(array.shape) for array in found.arrays]
    levels = tuple(
        Level(shape, step, read, _together(array, axes))
        for shape, step, read, array in zip(shapes[1:], found.steps[1:], reads[1:], found.arrays[1:], strict=True)
    )
    _, tall, wide = axes.of(first.chunks)
    kind = "ome-zarr" if metadata else "zarr"
    return DepthStack(
        where if isinstance(where, Path) else where.address,
        _name(where.name if isinstance(where, Path) else where.path.name),
        shapes[0],
        grey_dtype(first.dtype),
        None if metadata is None else metadata.voxel_size_um,
        f"{kind} v{first.metadata.zarr_format}, {_chunks_in_words(first, axes)}{found.guesses}",
        reads[0],
        home=where.parent if isinstance(where, Path) else None,
        levels=levels,
        scaling=scaling_in_words(first.dtype),
        layers_together=_together(first, axes),
        stored_px=(tall, wide),
        missing=lambda: _missing(found),
        layer_step_um=None if metadata is None else metadata.layer_step_um,
    )


def _steps(
    name: str, metadata: ImageMetadata | None, shapes: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    if metadata is not None:
        return steps(name, metadata, shapes)
    found = []
    for shape in shapes[1:]:
        z, y, x = (max(round(whole / length), 1) for whole, length in zip(shapes[0], shape, strict=True))
        found.append((z, y, x))
    return found


def _name(name: str) -> str:
    for suffix in (".zip", ".ozx", ".zarr", ".ome"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name


def _together(array: zarr.Array[Any], axes: Axes) -> int:
    """Return how many layers to read together: those of a chunk, limited to bound memory."""
    return min(axes.of(array.chunks)[0], MOST_TOGETHER)


def _reading(name: str, array: zarr.Array[Any], axes: Axes) -> ReadBlock:
    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        rows, columns = slice(y.start, y.stop, step), slice(x.start, x.stop, step)
        if y.start == y.stop or x.start == x.stop or z.start == z.stop:
            lengths = (z.stop - z.start, len(range(y.start, y.stop, step)), len(range(x.start, x.stop, step)))
            return np.empty(lengths, array.dtype)
        place = f"{name}, layers {z.start} to {z.stop - 1}, rows {y.start} to {y.stop - 1},"
        with decoder_errors(StackError, place, "restore it"), getattr(array.store, "failures", nullcontext)():
            return axes.turned(np.asarray(array[axes.index(z, rows, columns)]))

    return read


def _chunks_in_words(array: zarr.Array[Any], axes: Axes) -> str:
    chunks = "chunks of " + " × ".join(map(str, axes.of(array.chunks)))
    return chunks if array.shards is None else f"{chunks} in shards of " + " × ".join(map(str, axes.of(array.shards)))


def _missing(found: _Found) -> str:
    first = found.first
    there = getattr(first.store, "missing", None)
    if there is not None:
        return f"{len(there)} chunks are not on the server and read as empty" if there else ""
    levels = f"all chunks of the levels {', '.join(found.lost)} are not there" if found.lost else ""
    return "; ".join(part for part in (_missing_chunks(first), levels) if part)


def _missing_chunks(array: zarr.Array[Any]) -> str:
    from napari_ink.zarr_reading import chunks_stored, has_chunks

    stored = array.shards or array.chunks
    what = "shards" if array.shards is not None else "chunks"
    wanted = math.prod(-(-length // size) for length, size in zip(array.shape, stored, strict=True))
    if not has_chunks(array):
        return f"0 of {wanted} {what} are there and all reads as {array.fill_value}; copy it again, whole"
    if wanted > _MOST_COUNTED:
        return ""  # listing so many files takes too long
    lost = wanted - chunks_stored(array)
    return f"{lost} of {wanted} {what} are not there and read as {array.fill_value}" if lost > 0 else ""
