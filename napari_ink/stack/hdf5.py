"""Depth stacks in HDF5 files, as ilastik, beamlines, MATLAB and Imaris write them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.decoding import check_memory, decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.axes import Axes, find_axes
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.grey import check_dtype, grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.raw import check_unchanged, state_of
from napari_ink.stack.sizes import check_shape

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".mat", ".ims")
_IMARIS = "DataSet/ResolutionLevel 0"
_MOST_NAMED = 8


@dataclass(frozen=True)
class _Found:
    """A dataset, the positions of its axes, and its shape ``(z, y, x)`` without padding."""

    data: Any
    axes: Axes
    shape: tuple[int, int, int]


def open_hdf5(file: Path, name: str) -> DepthStack:
    """Open a dataset of an HDF5 file as a depth stack; without a name, the only dataset of three axes.

    Axes of one entry are dropped. Axis tags, dimension labels or MATLAB's convention decide the order of the others.

    Raises
    ------
    StackError
        If h5py is not installed, the dataset does not exist, or it is stored in another file.
    """
    try:
        import h5py
    except ImportError as error:
        raise StackError(f"{file} needs h5py to be read; install it with: pip install 'napari-ink[hdf5]'.") from error
    with decoder_errors(StackError, file, "replace it with the original file", "as HDF5"):
        if not h5py.is_hdf5(file):
            _check_other_format(file)
        found = _find(file, h5py.File(file, "r"), name)
    return _stack(file, found)


def _check_other_format(file: Path) -> None:
    with file.open("rb") as stream:
        beginning = stream.read(128)
    if beginning.startswith(b"MATLAB 5.0"):
        raise StackError(f"{file} is of a MATLAB format before 7.3, which is no HDF5; save it with -v7.3.")
    if beginning.startswith(b"\x0e\x03\x13\x01"):
        raise StackError(f"{file} is HDF4; convert it to HDF5.")
    raise ValueError("it does not begin as HDF5 does")


def _stack(file: Path, found: _Found) -> DepthStack:
    data, axes, stored, state = found.data, found.axes, found.data.dtype, state_of(file)
    # A dataset without chunks is stored in one piece, of which any part can be read.
    chunks = None if data.chunks is None else axes.of(data.chunks)

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        check_unchanged(file, state)
        index = axes.index(z, slice(y.start, y.stop, step), slice(x.start, x.stop, step))
        with decoder_errors(StackError, f"{file}::{data.name}", "restore the file, or save it without a filter"):
            return axes.turned(np.asarray(data[index]))

    is_empty = data.id.get_storage_size() == 0
    return DepthStack(
        Path(f"{file}::{data.name}"),
        file.stem,
        found.shape,
        grey_dtype(stored),
        None,
        "hdf5",
        reading_grey(file, stored, read),
        file.parent,
        scaling=scaling_in_words(stored),
        slow=f"its values are compressed in chunks of {' × '.join(map(str, chunks or ()))}" if data.compression else "",
        stored_px=(1, 1) if chunks is None else chunks[1:],
        missing=lambda: "none of its values was ever written, and all reads as empty" if is_empty else "",
    )


def _find(file: Path, opened: Any, name: str) -> _Found:
    """Return a dataset whose values are stored in this file."""
    data = _dataset(file, opened, name)
    where = f"{file}::{data.name}"
    # HDF5 follows such references silently, so that a file from elsewhere could expose any file of this machine.
    if data.is_virtual or data.external or data.file.filename != opened.filename:
        raise StackError(f"{where} keeps its values in other files; such a dataset is not opened.")
    axes = find_axes(where, data.shape, _names(data))
    check_dtype(where, data.dtype)
    check_shape(where, axes.of(data.shape))
    check_memory(
        2 * math.prod(data.chunks or ()) * data.dtype.itemsize,
        StackError,
        f"A chunk of {where}",
        "save it in smaller chunks",
    )
    return _Found(data, axes, _without_padding(data, axes.of(data.shape)))


def _dataset(file: Path, opened: Any, name: str) -> Any:
    import h5py

    def is_here(path: str) -> bool:
        parts = [part for part in path.split("/") if part]
        # Each folder on the way may be a link, too, and h5py would open what it points to.
        links = (opened.get("/".join(parts[: n + 1]), getlink=True) for n in range(len(parts)))
        return not any(isinstance(link, h5py.ExternalLink) for link in links)

    if name and not is_here(name):
        raise StackError(f"{file}::{name} leads to another file; open that one.")
    if name and not isinstance(opened.get(name), h5py.Dataset):
        raise StackError(f"{file} holds no dataset {name}; it holds {_contents(opened)}.")
    if name:
        return opened[name]
    found = [data for data in _datasets(_images(opened)) if _may_be_stack(data)]
    if len(found) > 1:
        names = ", ".join(data.name for data in found[:_MOST_NAMED])
        raise StackError(
            f"{file} holds {len(found)} datasets of three axes, {names}; name one, as in {file}::{found[0].name}."
        )
    if not found:
        raise StackError(f"{file} holds no depth stack, but {_contents(opened)}; open a file with a dataset of layers.")
    return found[0]


def _images(opened: Any) -> Any:
    """Return the group to search for datasets: the finest level of an Imaris file, or else the whole file."""
    return opened.get(_IMARIS, opened)


def _datasets(group: Any) -> list[Any]:
    import h5py

    found: list[Any] = []
    group.visititems(lambda _, one: found.append(one) if isinstance(one, h5py.Dataset) else None)
    return found


def _may_be_stack(data: Any) -> bool:
    if data.dtype.kind not in "buif" or data.shape is None or len(data.shape) < 3:
        return False
    with suppress(StackError):
        check_shape("", find_axes("", data.shape, _names(data)).of(data.shape))
        return True
    return False


def _contents(opened: Any) -> str:
    found = [f"{data.name} {data.shape}" for data in _datasets(opened)]
    return ", ".join(found[:_MOST_NAMED]) + (" and more" if len(found) > _MOST_NAMED else "") or "nothing"


def _names(data: Any) -> Sequence[str]:
    """Return the names of a dataset's axes in lower case; empty texts if the file does not name them."""
    tags = data.attrs.get("axistags")
    if tags is not None:  # JSON by the library VIGRA, which ilastik writes with
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return [str(axis["key"]).lower() for axis in json.loads(tags)["axes"]]
    if "MATLAB_class" in data.attrs and data.ndim >= 3:
        # MATLAB writes (rows, columns, layers) in Fortran order, so that h5py sees the axes reversed.
        return [*(f"axis {number}" for number in range(data.ndim - 3)), "z", "x", "y"]
    return [str(dim.label).lower() for dim in data.dims]


def _without_padding(data: Any, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of an Imaris image without padding: its dataset is padded to whole chunks."""
    z, y, x = (min(length, size) for length, size in zip(shape, _imaris_size(data, shape), strict=True))
    return z, y, x


def _imaris_size(data: Any, shape: tuple[int, int, int]) -> Iterator[int]:
    for axis, length in zip("ZYX", shape, strict=True):
        stated = data.parent.attrs.get(f"ImageSize{axis}") if data.name.startswith(f"/{_IMARIS}/") else None
        # Imaris writes numbers as arrays of single characters.
        digits = b"" if stated is None else np.asarray(stated).tobytes()
        yield int(digits) if digits.isdigit() and int(digits) > 0 else length
