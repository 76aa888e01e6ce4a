"""Writing planes under free names, completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import check_memory
from napari_ink.durable import replacing
from napari_ink.errors import OutputError
from napari_ink.export.formats import output_format
from napari_ink.export.images import note_on_npy
from napari_ink.export.names import KINDS, LabelKind, LabelName, next_version, parse_label_name
from napari_ink.export.planes import INK_LABELS, INK_MASK, LabelPlane, mask_plane, plane_of

_ZARR_FILES = ("zarr.json", ".zgroup", ".zarray")


def write_plane(plane: LabelPlane, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a plane in the format of the name's suffix, and return its path.

    Raises
    ------
    OutputError
        If the name has another suffix, is taken (unless `overwrite`), cannot be written, or if the format holds masks
        only and this is none.
    """
    path = Path(path).absolute()
    check_output(path, overwrite)
    form = output_format(path)
    if form.masks_only and not plane.is_mask:
        raise OutputError(f"{path.name} would be {form.name}, which holds one mask; export ink, edges or supervision.")
    size = f"{path} ({plane.shape[0]} × {plane.shape[1]} pixels as {form.name})"
    check_memory(form.bytes_per_px * plane.shape[0] * plane.shape[1], OutputError, size, "choose another format")
    with replacing(path) as partial:
        form.write(plane, partial)
    return path


def notes_on_writing(plane: LabelPlane, path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return sentences about what a plane loses in the format of the name's suffix."""
    note = note_on_npy(plane, Path(path))
    return (note,) if note else ()


def write_mask(
    mask: npt.NDArray[np.bool_],
    path: str | os.PathLike[str],
    overwrite: bool = False,
    names: Mapping[int, str] = INK_MASK,
    voxel_size_um: float | None = None,
) -> Path:
    """Write a mask ``(y, x)`` as 0 and 255, in the format of the name's suffix.

    Raises
    ------
    OutputError
        As in `write_plane`.
    """
    return write_plane(mask_plane(mask, names, voxel_size_um), path, overwrite)


def write_label_values(
    labels: npt.NDArray[np.uint8],
    path: str | os.PathLike[str],
    overwrite: bool = False,
    names: Mapping[int, str] = INK_LABELS,
    voxel_size_um: float | None = None,
) -> Path:
    """Write label values ``(y, x)`` as they are, 0, 1 and 2, in the format of the name's suffix.

    Raises
    ------
    OutputError
        As in `write_plane`.
    """
    return write_plane(plane_of(labels, names, voxel_size_um), path, overwrite)


def write_label_set(
    planes: Mapping[LabelKind, LabelPlane], folder: str | os.PathLike[str], segment: str, suffix: str
) -> tuple[Path, ...]:
    """Write masks that belong together under the field's names, with the next free version number.

    Parameters
    ----------
    planes
        Masks by kind.
    folder, segment, suffix
        Folder to write to, name of the segment, and suffix of the format, such as ``".png"``.

    Returns
    -------
    tuple of Path
        Paths of the files. Supervision and validation masks are written first, so that labels never exist without them.

    Raises
    ------
    OutputError
        As in `write_plane`.
    """
    folder = Path(folder).absolute()
    version = next_version(folder, segment)
    order = sorted(planes, key=KINDS.index, reverse=True)
    names = [folder / str(LabelName(segment, kind, version, suffix)) for kind in order]
    return tuple(write_plane(planes[kind], name) for kind, name in zip(order, names, strict=True))


def check_output(path: Path, overwrite: bool = False) -> None:
    """Refuse a path that cannot be written to.

    Raises
    ------
    OutputError
        If the name has another suffix, is taken (unless `overwrite`), or its folder is not there.
    """
    form = output_format(path)
    # os.path returns False where a Path raises: for names that are too long and folders without access.
    if os.path.lexists(path):
        if not overwrite:
            raise OutputError(f"{path} exists already; choose another name{_free(path)} or remove it.")
        if path.is_dir() != form.is_folder or (path.is_dir() and not _is_zarr(path)):
            raise OutputError(f"{path} exists and is no {form.name}, so it is not replaced; choose another name.")
    if not os.path.isdir(path.parent):
        raise OutputError(f"There is no folder {path.parent}; create it or choose another.")


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).exists() for name in _ZARR_FILES)


def _free(path: Path) -> str:
    name = parse_label_name(path)
    if name is None:
        return ""
    free = LabelName(name.segment, name.kind, next_version(path.parent, name.segment), name.suffix)
    return f", {free} for example,"
