"""Open a depth stack, whatever holds it; only headers are read."""

from __future__ import annotations

import json
import os
import re
import tokenize
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.tiff import TiffPlane, read_planes, voxel_size_um

LAYER_FOLDERS = ("layers", "surface_volume")
TIFF_SUFFIXES = (".tif", ".tiff")
_LAYER_DIGITS = 6


def open_stack(source: str | os.PathLike[str]) -> DepthStack:
    """Open a folder of single-page TIFFs, a multi-page TIFF or a .npy file as a depth stack.

    Parameters
    ----------
    source
        A file, a folder of layers, or a segment folder that holds one called ``layers`` or ``surface_volume``.

    Raises
    ------
    StackError
        If there is nothing there, or it is no stack of 8- or 16-bit grey layers of one size.
    """
    path = Path(source).expanduser().absolute()
    try:
        if path.is_dir():
            return _open_folder(path)
        if not path.exists():
            raise StackError(f"There is nothing at {path}; check the path.")
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _open_tiff(path)
        if path.suffix.lower() == ".npy":
            return _open_npy(path)
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror or error}; check its permissions.") from error
    raise StackError(f"{path} is no depth stack: open a folder of TIFF layers, a multi-page TIFF or a .npy file.")


def _open_folder(path: Path) -> DepthStack:
    folder = next((path / name for name in LAYER_FOLDERS if (path / name).is_dir()), path)
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in TIFF_SUFFIXES and _is_shown(p)]
    if folder.name not in LAYER_FOLDERS:
        names = _layers_among(names, folder.name)
    if not names:
        raise StackError(f"{folder} holds no TIFF file; choose the folder of a segment or of its layers.")
    planes = []
    for name in _in_sequence(folder, names):
        found = read_planes(folder / name)
        if len(found) != 1:
            raise StackError(f"{folder / name} holds {len(found)} planes; open a multi-page TIFF by itself.")
        planes += found
    _check_alike(planes)
    segment = folder.parent if folder.name in LAYER_FOLDERS else folder
    return _from_planes(folder, segment.name, planes, "tiff folder", _voxel_size(segment, planes[0].path))


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".") and not path.is_dir()


def _layers_among(names: list[str], segment: str) -> list[str]:
    """Leave out a segment's composite, mask and labels where they lie beside layers that are only numbers."""
    numbered = [name for name in names if Path(name).stem.isdigit()]
    # Segments are called by a date and time, and so are their composites: all digits, but far too many for a layer.
    short = [name for name in numbered if Path(name).stem != segment or len(segment) <= _LAYER_DIGITS]
    return short or numbered or names


def _in_sequence(folder: Path, names: Sequence[str]) -> list[str]:
    """Sort layers by their number and see to it that none is missing or there twice."""
    numbers: dict[int, str] = {}
    for name, number in zip(names, _layer_numbers(folder, names), strict=True):
        if number in numbers:
            raise StackError(f"{folder} holds {numbers[number]} and {name}, both layer {number}; keep one.")
        numbers[number] = name
    order = sorted(numbers)
    # A stray number may lie billions away from the others: walk into a gap no further than is said.
    missing = list(islice((lost for a, b in pairwise(order) for lost in range(a + 1, b)), 6))
    if missing:
        said = ", ".join(map(str, missing[:5])) + (" and more" if len(missing) > 5 else "")
        raise StackError(f"{folder} lacks layer {said} between {order[0]} and {order[-1]}; copy it again.")
    return [numbers[number] for number in order]


def _layer_numbers(folder: Path, names: Sequence[str]) -> list[int]:
    """Return each layer's number: the one number in its name that differs from file to file, else the last."""
    found = [[int(digits) for digits in re.findall(r"\d+", Path(name).stem)] for name in names]
    for name, numbers in zip(names, found, strict=True):
        if not numbers:
            raise StackError(f"{folder / name} has no number to tell which layer it is; move it out of the folder.")
    if len({len(numbers) for numbers in found}) == 1:
        varying = [column for column in zip(*found, strict=True) if len(set(column)) > 1]
        if len(varying) == 1:
            return list(varying[0])
    return [numbers[-1] for numbers in found]


def _check_alike(planes: Sequence[TiffPlane]) -> None:
    first = planes[0]
    for number, plane in enumerate(planes):
        where = str(plane.path) if plane.path != first.path else f"Page {number + 1} of {plane.path}"
        if plane.shape != first.shape:
            raise StackError(
                f"{where} is {plane.shape[0]} × {plane.shape[1]} pixels and the first layer is "
                f"{first.shape[0]} × {first.shape[1]}; layers must be of one size."
            )
        if plane.dtype != first.dtype:
            raise StackError(
                f"{where} holds {plane.dtype} and the first layer {first.dtype}; "
                "save all layers with one number of bits."
            )


def _from_planes(
    source: Path, name: str, planes: Sequence[TiffPlane], kind: str, voxel_size: float | None
) -> DepthStack:
    def read_layer(z: int, y: slice, x: slice) -> Grey:
        return planes[z].read(y, x)

    return DepthStack(source, name, (len(planes), *planes[0].shape), planes[0].dtype, voxel_size, kind, read_layer)


def _open_tiff(path: Path) -> DepthStack:
    planes = read_planes(path)
    _check_alike(planes)
    return _from_planes(path, path.stem, planes, "multi-page tiff", _voxel_size(path.parent, path))


def _open_npy(path: Path) -> DepthStack:
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # unlike numpy.load, it opens no archives and no pickles
    except (ValueError, TypeError, EOFError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise StackError(
            f"{path} cannot be read as a NumPy array ({reason}); save it again with numpy.save."
        ) from error
    if array.ndim != 3 or 0 in array.shape:
        raise StackError(f"{path} has the shape {array.shape}; a depth stack has layers, height and width.")
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise StackError(f"{path} holds {array.dtype} values; save it as uint8 or uint16.")
    dtype = array.dtype.newbyteorder("=")

    def read_layer(z: int, y: slice, x: slice) -> Grey:
        return np.asarray(array[z, y, x]).astype(dtype, copy=True)

    depth, height, width = array.shape
    return DepthStack(path, path.stem, (depth, height, width), dtype, _meta_voxel_size(path.parent), "npy", read_layer)


def _voxel_size(folder: Path, first: Path) -> float | None:
    return _meta_voxel_size(folder) or voxel_size_um(first)


def _meta_voxel_size(folder: Path) -> float | None:
    """Return the voxel size that a segment's ``meta.json`` states, if there is one that can be read."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        size = float(meta["voxelsize"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return size if 0 < size < float("inf") else None
