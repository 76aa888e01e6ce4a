"""Opening a depth stack of any format, locally or at an address, by its headers alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ink.decoding import check_regular, decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.address import address_path, is_address
from napari_ink.stack.arrays import NRRD_SUFFIXES, open_npy, open_nrrd
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.grey import grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.hdf5 import HDF5_SUFFIXES, open_hdf5
from napari_ink.stack.image_orientation import note_on_layers
from napari_ink.stack.layer_order import in_sequence, layers_among, note_on_left_out
from napari_ink.stack.meta_voxel_size import meta_voxel_size, note_on_voxel_size
from napari_ink.stack.pictures import PICTURE_SUFFIXES, Picture, Pictures, read_picture_header
from napari_ink.stack.sizes import check_shape
from napari_ink.stack.tiff import TiffPlane, check_axes, read_planes, voxel_size_um
from napari_ink.stack.zarr_stack import METADATA, holds_zarr, open_zarr

if TYPE_CHECKING:
    from napari_ink.stack.remote import Remote, RemoteFile

LAYER_FOLDERS = ("layers", "surface_volume")
TIFF_SUFFIXES = (".tif", ".tiff")
ZIP_SUFFIXES = (".zip", ".ozx")
# Layers are files with the first five suffixes; images of the others, if left out beside layers, are named in a note.
_IMAGE_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES, ".bmp", ".gif", ".jp2", ".webp")
_AT_ONCE = 8
_PICTURE_ROWS = 1024  # a picture is decoded whole for any of its rows, but cached decoded, so bands are cheap


def open_stack(source: str | os.PathLike[str]) -> DepthStack:
    """Open a depth stack of any format; only headers are read.

    Parameters
    ----------
    source
        A folder of TIFF, PNG or JPEG layers; a segment folder with such a folder, named ``layers`` or
        ``surface_volume``; a multi-page TIFF; a ``.npy``, NRRD or HDF5 file (``FILE.h5::DATASET``); a Zarr or OME-Zarr
        store, also in a zip archive; or an address (``https://``, ``s3://``) of a Zarr store, TIFF layers, a TIFF or a
        ``.npy`` file.

    Returns
    -------
    DepthStack
        The stack, whose voxels are read when needed.

    Raises
    ------
    StackError
        If the source does not exist, or is not a stack of grey layers of one size.
    """
    if is_address(source):
        return _open_address(os.fspath(source))
    path = Path(source).expanduser().absolute()
    with decoder_errors(StackError, path, "check the path"):
        if not path.is_dir():
            return _open_file(path)
        return open_zarr(path) if holds_zarr(path) else _open_folder(path)


def suffix_of(source: str | os.PathLike[str]) -> str:
    """Return the suffix that decides how a source is opened, in lower case.

    It is the suffix of an address without its query, and of the file in ``FILE::DATASET``.
    """
    if is_address(source):
        return address_path(os.fspath(source)).suffix.lower()
    return _file_and_inside(Path(source))[0].suffix.lower()


def _file_and_inside(path: Path) -> tuple[Path, str]:
    """Return the file, and the path inside it if one is given."""
    if "::" not in str(path) or os.path.exists(path):  # Path.exists raises if a name is too long
        return path, ""
    place, _, inside = str(path).rpartition("::")
    return Path(place), inside


def _open_file(path: Path) -> DepthStack:
    file, inside = _file_and_inside(path)
    if not file.exists():
        raise StackError(f"There is nothing at {path}; check the path.")
    check_regular(file, StackError)
    suffix = file.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        return _open_tiff(file)
    if suffix == ".npy":
        opened, note = open_npy(file, meta_voxel_size(file.parent)), note_on_voxel_size(file.parent)
        return replace(opened, notes=(*opened.notes, note)) if note else opened
    if suffix in NRRD_SUFFIXES:
        return open_nrrd(file)
    if suffix in HDF5_SUFFIXES:
        return open_hdf5(file, inside)
    if suffix in ZIP_SUFFIXES:
        return open_zarr(file, inside)
    raise StackError(
        f"{path} is not a depth stack: open a folder of TIFF layers, a multi-page TIFF, a .npy, NRRD or HDF5 file, "
        "or a Zarr store."
    )


def _open_address(address: str) -> DepthStack:
    # Imported here, because addresses are rare and the libraries for them are slow to load.
    from napari_ink.stack.remote import Remote

    remote = Remote(address)
    suffix = suffix_of(address)
    if suffix in TIFF_SUFFIXES:
        return _open_tiff(remote.file())
    if suffix == ".npy":
        return open_npy(remote.file(), None)
    if remote.holds_any(METADATA):
        from napari_ink.stack.remote_store import ServerFailures

        with ServerFailures():
            return open_zarr(remote)
    # No Zarr metadata at the address: perhaps a web server that lists a folder of TIFF layers.
    names = remote.names()
    inner = next((name for name in LAYER_FOLDERS if name in names), "")
    listed = remote.names(inner) if inner else names
    layers = [name for name in listed if Path(name).suffix.lower() in TIFF_SUFFIXES and not name.startswith(".")]
    here = remote.path.name
    if here not in LAYER_FOLDERS and not inner:
        layers = layers_among(layers, here)
    if not layers:
        raise StackError(f"{address} is not a Zarr store, and lists no TIFF layers; check the address.")
    order = in_sequence(address, layers)
    wanted = [f"{inner}/{name}" if inner else name for name in order.names]
    planes = [plane for pages in _planes_at(remote, wanted) for plane in pages]
    segment = remote.path.parent.name if here in LAYER_FOLDERS else here
    notes = (order.note, note_on_left_out(_images_among(listed), order.names, segment))
    return _from_planes(remote.address, segment, planes, "tiff folder", None, notes=notes)


def _planes_at(remote: Remote, names: Sequence[str]) -> list[list[TiffPlane]]:
    """Read the headers of several files in parallel; after the first error no more are read."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        coming = pool.map(lambda name: read_planes(remote.file(name)), names)
        try:
            return [list(pages) for pages in coming]
        except BaseException:
            # Without this, leaving the `with` would wait for the headers of a thousand layers.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _open_folder(path: Path) -> DepthStack:
    folder = next((path / name for name in LAYER_FOLDERS if (path / name).is_dir()), path)
    segment = folder.parent if folder.name in LAYER_FOLDERS else folder
    there = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
    shown = [name for name in there if not (folder / name).is_dir()]
    for suffixes in (TIFF_SUFFIXES, PICTURE_SUFFIXES):
        names = [name for name in shown if Path(name).suffix.lower() in suffixes]
        if folder.name not in LAYER_FOLDERS:
            names = layers_among(names, folder.name, only_numbered=suffixes is PICTURE_SUFFIXES)
        if names:
            break
    else:
        raise StackError(_nothing_in(folder))
    check_shape(folder, (len(names), 1, 1))
    order = in_sequence(folder, names)
    left_out = note_on_left_out(_images_among(there), order.names, segment.name)
    notes = (order.note, left_out, _note_on_folders(path), note_on_voxel_size(segment))
    ordered = [folder / name for name in order.names]
    for file in ordered:
        check_regular(file, StackError)
    if suffixes is PICTURE_SUFFIXES:
        return _from_pictures(folder, segment, [read_picture_header(file) for file in ordered], notes)
    planes = []
    for file in ordered:
        found = read_planes(file)
        if len(found) != 1:
            raise StackError(f"{file} holds {len(found)} planes; open a multi-page TIFF by itself.")
        planes += found
    voxel_size = _voxel_size(segment, ordered[0])
    return _from_planes(folder, segment.name, planes, "tiff folder", voxel_size, segment, notes)


def _nothing_in(folder: Path) -> str:
    """Return the message on a folder without layers, which names the segments inside."""
    if (folder / "attributes.json").exists():
        return f"{folder} is an N5 store, and not Zarr; convert it to OME-Zarr."
    inside = sorted(one.name for one in folder.iterdir() if one.is_dir() and os.access(one, os.X_OK) and _is_stack(one))
    if len(inside) == 1:
        return f"{folder} holds the segment {inside[0]}; open that folder."
    if inside:
        more = " and more" if len(inside) > 5 else ""
        return f"{folder} holds the segments {', '.join(inside[:5])}{more}; open one of them."
    return f"{folder} holds no TIFF file; choose the folder of a segment or of its layers."


def _is_stack(folder: Path) -> bool:
    return holds_zarr(folder) or any((folder / name).is_dir() for name in LAYER_FOLDERS)


def _images_among(names: Sequence[str]) -> list[str]:
    return [name for name in names if Path(name).suffix.lower() in _IMAGE_SUFFIXES and not name.startswith(".")]


def _note_on_folders(folder: Path) -> str:
    """Return a note on which of several folders of layers in a segment's folder is read."""
    first, *others = [name for name in LAYER_FOLDERS if (folder / name).is_dir()] or [""]
    return f"{folder} holds {first} and {others[0]}: {first} is read; name the other to open it." if others else ""


def _check_alike(planes: Sequence[TiffPlane | Picture]) -> None:
    first = planes[0]
    for number, plane in enumerate(planes):
        where = str(plane.file) if plane.file != first.file else f"Page {number + 1} of {plane.file}"
        if plane.shape != first.shape:
            raise StackError(
                f"{where} is {plane.shape[0]} × {plane.shape[1]} pixels and the first layer is "
                f"{first.shape[0]} × {first.shape[1]}; layers must be of one size."
            )
        if plane.dtype.newbyteorder("=") != first.dtype.newbyteorder("="):
            raise StackError(
                f"{where} holds {plane.dtype} and the first layer {first.dtype}; "
                "save all layers with one number of bits."
            )


def _check_bits(planes: Sequence[TiffPlane]) -> None:
    first = planes[0]
    for plane in planes:
        if plane.bits != first.bits:
            raise StackError(
                f"{plane.file} holds {plane.bits}-bit values and the first layer {first.bits}-bit ones; "
                "save all layers with one number of bits."
            )


def _scaling_of(planes: Sequence[TiffPlane]) -> str:
    """Return how stored values are converted to grey values, in words, and which layers are inverted."""
    scaling = scaling_in_words(planes[0].dtype, planes[0].bits)
    inverted = sum(plane.is_inverted for plane in planes)
    if not inverted:
        return scaling
    which = "" if inverted == len(planes) else f" in {inverted} of {len(planes)} layers"
    return f"{scaling}{', ' if scaling else ''}0 is white{which}, inverted"


def _from_planes(
    source: Path | str,
    name: str,
    planes: Sequence[TiffPlane],
    kind: str,
    voxel_size: float | None,
    home: Path | None = None,
    notes: Sequence[str] = (),
) -> DepthStack:
    _check_alike(planes)
    _check_bits(planes)
    shape = (len(planes), *planes[0].shape)
    check_shape(source, shape)
    stored, bits = planes[0].dtype, planes[0].bits

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        rows, columns = len(range(y.start, y.stop, step)), len(range(x.start, x.stop, step))
        block: Grey = np.empty((z.stop - z.start, rows, columns), stored.newbyteorder("="))
        for at, plane in enumerate(planes[z]):
            block[at] = plane.read(y, x, step)
        return block

    compressed = sum(plane.raw is None for plane in planes)
    slow = f"{compressed} of its {len(planes)} layers are compressed" if compressed else ""
    return DepthStack(
        source,
        name,
        shape,
        grey_dtype(stored),
        voxel_size,
        kind,
        reading_grey(source, stored, read_block, bits),
        home,
        scaling=_scaling_of(planes),
        slow=slow,
        by_layer=any(plane.in_strips for plane in planes),
        stored_px=(max(plane.stored_px[0] for plane in planes), max(plane.stored_px[1] for plane in planes)),
        are_layers_apart=True,
        notes=_with_orientation(planes, notes),
    )


def _with_orientation(planes: Sequence[TiffPlane | Picture], notes: Sequence[str]) -> tuple[str, ...]:
    """Return notes, and one on layers that ask to be shown another way than they are stored."""
    return tuple(filter(None, (*notes, note_on_layers([plane.orientation for plane in planes]))))


def _from_pictures(folder: Path, segment: Path, pictures: Sequence[Picture], notes: Sequence[str]) -> DepthStack:
    _check_alike(pictures)
    shape, first = (len(pictures), *pictures[0].shape), pictures[0]
    kind = f"{first.file.suffix.lower().lstrip('.')} folder"
    slow = "its layers are pictures, which are decoded whole"
    return DepthStack(
        folder,
        segment.name,
        shape,
        first.dtype,
        meta_voxel_size(segment),
        kind,
        Pictures(pictures),
        segment,
        slow=slow,
        by_layer=True,
        stored_px=(min(_PICTURE_ROWS, shape[1]), shape[2]),
        notes=_with_orientation(pictures, notes),
    )


def _open_tiff(file: Path | RemoteFile) -> DepthStack:
    planes = read_planes(file)
    check_axes(file, len(planes))
    name, home = Path(file.name).stem, file.parent if isinstance(file, Path) else None
    voxel_size = _voxel_size(home, file)
    source = file if isinstance(file, Path) else str(file)
    notes = () if home is None else (note_on_voxel_size(home),)
    return _from_planes(source, name.removesuffix(".ome"), planes, "multi-page tiff", voxel_size, home, notes)


def _voxel_size(folder: Path | None, first: Path | RemoteFile) -> float | None:
    return (None if folder is None else meta_voxel_size(folder)) or voxel_size_um(first)
