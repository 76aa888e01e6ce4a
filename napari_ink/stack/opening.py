"""Open a depth stack, whatever holds it; only headers are read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.tiff import TiffPlane, read_planes, voxel_size_um

LAYER_FOLDERS = ("layers", "surface_volume")
TIFF_SUFFIXES = (".tif", ".tiff")


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
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in TIFF_SUFFIXES and p.is_file() and _is_shown(p)]
    if folder == path and folder.name not in LAYER_FOLDERS:
        # A segment's composite, mask or labels may lie beside layers that are only numbers.
        names = [name for name in names if Path(name).stem.isdigit()] or names
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
    return not path.name.startswith(".")


def _in_sequence(folder: Path, names: Sequence[str]) -> list[str]:
    """Sort layers by their number and see to it that none is missing or there twice."""
    numbers: dict[int, str] = {}
    for name in names:
        digits = re.findall(r"\d+", Path(name).stem)
        if not digits:
            raise StackError(f"{folder / name} has no number to tell which layer it is; move it out of the folder.")
        if int(digits[-1]) in numbers:
            raise StackError(
                f"{folder} holds {numbers[int(digits[-1])]} and {name}, both layer {int(digits[-1])}; keep one."
            )
        numbers[int(digits[-1])] = name
    missing = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
    if missing:
        said = ", ".join(map(str, missing[:5])) + (" and more" if len(missing) > 5 else "")
        raise StackError(f"{folder} lacks layer {said} between {min(numbers)} and {max(numbers)}; copy it again.")
    return [numbers[number] for number in sorted(numbers)]


def _check_alike(planes: Sequence[TiffPlane]) -> None:
    first = planes[0]
    for number, plane in enumerate(planes):
        where = plane.path.name if plane.path != first.path else f"page {number}"
        if plane.shape != first.shape:
            raise StackError(
                f"{where} of {plane.path.parent} is {plane.shape[0]} × {plane.shape[1]} pixels and the first layer is "
                f"{first.shape[0]} × {first.shape[1]}; layers must be of one size."
            )
        if plane.dtype != first.dtype:
            raise StackError(
                f"{where} of {plane.path.parent} holds {plane.dtype} and the first layer {first.dtype}; "
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
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
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
