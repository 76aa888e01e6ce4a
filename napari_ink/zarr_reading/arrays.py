"""Opening of Zarr arrays from other programs: damaged ones raise one sentence and cannot take unbounded memory."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.decoding import check_memory, decoder_errors
from napari_ink.errors import BadInputError
from napari_ink.zarr_reading.codecs import bounded_array
from napari_ink.zarr_reading.stores import ReadStore, ZippedStore

if TYPE_CHECKING:
    import zarr

_LARGEST_CHUNK = 2**32
_MOST_IN_SHARD = 2**22
_MOST_CHUNKS = 2**24
_STORED_SLACK = 2**20
_MOST_LISTED = 300_000

# Names of chunks: Zarr format, the metadata that state the scheme, and a pattern of the names. `rest` is the number of
# axes but one, `all` that of all axes.
_NAMINGS: tuple[tuple[int, dict[str, Any], str], ...] = (
    (2, {"dimension_separator": "."}, r"\d+(\.\d+){%(rest)d}"),
    (2, {"dimension_separator": "/"}, r"\d+(/\d+){%(rest)d}"),
    (3, {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}}, r"c(/\d+){%(all)d}"),
    (3, {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}}, r"c(\.\d+){%(all)d}"),
    (3, {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}}, r"\d+(\.\d+){%(rest)d}"),
    (3, {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "/"}}}, r"\d+(/\d+){%(rest)d}"),
)


def open_node(place: Path, kind: type[BadInputError], inside: str = "") -> zarr.Array[Any] | zarr.Group:
    """Open a Zarr array or group in a folder or zip archive, read-only.

    Parameters
    ----------
    place
        The folder or archive.
    kind
        Class of the error to raise.
    inside
        Path of a node inside the store.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if the node does not exist or is damaged.
    """
    import zarr

    store = ReadStore(place, kind=kind) if place.is_dir() else ZippedStore(place, kind=kind)
    with decoder_errors(kind, place, "write it again", "as Zarr"):
        # Consolidated metadata are a copy, which may be older than the arrays.
        return zarr.open(store, mode="r", path=inside, use_consolidated=False)


def sound_array(where: object, array: zarr.Array[Any], kind: type[BadInputError]) -> zarr.Array[Any]:
    """Return an array that can be read in bounded memory.

    If no chunk's name has the separator in the metadata, the separator is taken from the existing names.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if its chunks are too large or too many, or their shape is invalid.
    """
    _check_chunks(where, array, kind)
    store = array.store
    stored = array.shards or array.chunks
    if isinstance(store, ReadStore | ZippedStore):
        inner = math.prod(stored) // math.prod(array.chunks)
        # Compression may enlarge random values, and a shard ends with an index of 16 bytes for each of its chunks.
        size = 2 * math.prod(stored) * array.dtype.itemsize + 32 * inner + _STORED_SLACK
        store.most_bytes = max(store.most_bytes, size)
    with decoder_errors(kind, where, "write it again"):
        return bounded_array(array, **_naming_found(array))


def chunks_stored(array: zarr.Array[Any]) -> int:
    """Return the number of stored chunks, or shards, of an array in a folder or archive."""
    is_chunk = _pattern(array.metadata.zarr_format, naming(array), array.ndim)
    return sum(is_chunk is not None and is_chunk.fullmatch(key) is not None for key in _keys(array))


def has_chunks(array: zarr.Array[Any]) -> bool:
    """Whether any chunk of an array is stored; true for a store at an address, where finding out takes requests."""
    if not isinstance(array.store, ReadStore | ZippedStore) or array.ndim == 0:
        return True
    is_chunk = _pattern(array.metadata.zarr_format, naming(array), array.ndim)
    return is_chunk is None or any(is_chunk.fullmatch(key) for key in _keys(array))


def child_names(group: zarr.Group) -> list[str]:
    """Return the names of a group's subfolders in order; an empty list for a store at an address."""
    store = group.store
    if isinstance(store, ReadStore):
        with decoder_errors(store.kind, store.root, "copy it again"):
            found = {one.name for one in (store.root / group.path).iterdir() if one.is_dir()}
    elif isinstance(store, ZippedStore):
        before = store.inside + (f"{group.path}/" if group.path else "")
        inner = (name.removeprefix(before) for name in store.names if name.startswith(before))
        found = {name.partition("/")[0] for name in inner if "/" in name}
    else:
        found = set()
    return sorted((name for name in found if not name.startswith(".")), key=lambda name: (len(name), name))


def _check_chunks(where: object, array: zarr.Array[Any], kind: type[BadInputError]) -> None:
    chunks, stored = array.chunks, array.shards or array.chunks
    if len(chunks) != array.ndim or min((*chunks, *stored), default=1) < 1:
        raise kind(f"{where} states chunks of the shape {chunks}; write it again.")
    nbytes = math.prod(chunks) * array.dtype.itemsize
    if nbytes > _LARGEST_CHUNK or math.prod(stored) // math.prod(chunks) > _MOST_IN_SHARD:
        raise kind(f"{where} has chunks of {chunks} in {stored}, too large to read; write it in smaller ones.")
    check_memory(2 * nbytes, kind, f"A chunk of {where}", "write it in smaller chunks")
    number = math.prod(-(-length // size) for length, size in zip(array.shape, chunks, strict=True))
    if number > _MOST_CHUNKS:
        raise kind(f"{where} has {number} chunks of {chunks}, too many to read; write it in larger ones.")


def _naming_found(array: zarr.Array[Any]) -> dict[str, Any]:
    """Return changes to the metadata by which chunks are found; empty if the metadata need none."""
    if not isinstance(array.store, ReadStore | ZippedStore) or array.ndim == 0 or has_chunks(array):
        return {}
    version = array.metadata.zarr_format
    others = [(changes, _pattern(version, changes, array.ndim)) for one, changes, _ in _NAMINGS if one == version]
    for key in _keys(array):
        for changes, pattern in others:
            if pattern is not None and pattern.fullmatch(key):
                return changes
    return {}


def naming(array: zarr.Array[Any]) -> dict[str, Any]:
    """Return the metadata entry that states the names of chunks."""
    metadata: Any = array.metadata
    if metadata.zarr_format == 2:
        return {"dimension_separator": metadata.dimension_separator}
    return {"chunk_key_encoding": metadata.chunk_key_encoding.to_dict()}


def _pattern(version: int, how: dict[str, Any], ndim: int) -> re.Pattern[str] | None:
    """Return a pattern of the names of chunks; None for an unknown scheme."""
    for one, changes, pattern in _NAMINGS:
        if one == version and changes == how:
            return re.compile(pattern % {"rest": ndim - 1, "all": ndim})
    return None


def _keys(array: zarr.Array[Any]) -> Iterator[str]:
    """Yield the paths of files below an array in a folder or archive, up to a number that takes seconds to list."""
    store = array.store
    if isinstance(store, ZippedStore):
        before = store.inside + (f"{array.path}/" if array.path else "")
        yield from (name.removeprefix(before) for name in store.names if name.startswith(before))
        return
    assert isinstance(store, ReadStore)
    top, listed = store.root / array.path, 0
    for folder, _, names in os.walk(top):
        inner = Path(folder).relative_to(top).as_posix()
        for name in names:
            yield name if inner == "." else f"{inner}/{name}"
        listed += len(names) + 1
        if listed > _MOST_LISTED:
            return
