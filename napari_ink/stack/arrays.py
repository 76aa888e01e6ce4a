"""Depth stacks in one array: a NumPy or NRRD file, or an array in memory."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_ink.decoding import check_regular, decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.axes import Axes, find_axes
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.grey import check_dtype, grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.raw import RawArray, state_of
from napari_ink.stack.sizes import check_shape

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

NRRD_SUFFIXES = (".nrrd", ".nhdr")
_LONGEST_NPY_HEADER = 2**16
_LONGEST_NRRD_HEADER = 2**20
_SEVERAL_FILES = re.compile(rb"^data ?file:\s*(LIST|.*%)", re.MULTILINE | re.IGNORECASE)
_UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_NRRD_DTYPES = {
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1", "short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2", "float": "f4", "double": "f8",
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
}  # fmt: skip


def open_npy(file: Path | RemoteFile, voxel_size: float | None) -> DepthStack:
    """Open a NumPy file as a depth stack; only its header is read.

    Raises
    ------
    StackError
        If the file is damaged, or holds no depth stack.
    """
    if isinstance(file, Path):
        check_regular(file, StackError)
    with decoder_errors(StackError, file, "save it again with numpy.save", "as a NumPy array"):
        # Read only the beginning of the file: a damaged header may state a length of gigabytes.
        stream = io.BytesIO(_beginning(file, _LONGEST_NPY_HEADER))
        headers = np.lib.format  # unlike np.load, these functions open neither pickles nor archives
        version = headers.read_magic(stream)
        read_header = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
        shape, is_fortran, stored = read_header(stream)
        offset = stream.tell()
        if stored.hasobject:
            raise ValueError("it holds Python objects")
        # NumPy's header is a Python literal, and NumPy accepts `True` as a length.
        if any(type(length) is not int for length in shape):
            raise ValueError(f"its shape is {shape}")
    return _from_raw(file, shape, stored, offset, "npy", voxel_size, "F" if is_fortran else "C")


def _beginning(file: Path | RemoteFile, most: int) -> bytes:
    if not isinstance(file, Path):
        return file.fetch(0, most)
    with file.open("rb") as stream:
        return stream.read(most)


def stack_of_array(values: Grey, name: str) -> DepthStack:
    """Return a depth stack of values ``(z, y, x)`` in memory.

    Raises
    ------
    StackError
        If the dtype cannot be read as grey, or the shape is not that of a depth stack.
    """
    check_shape(name, values.shape)
    check_dtype(name, values.dtype)

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        return np.array(values[z, y.start : y.stop : step, x.start : x.stop : step])

    depth, height, width = values.shape
    return DepthStack(
        name,
        name,
        (depth, height, width),
        grey_dtype(values.dtype),
        None,
        "memory",
        reading_grey(name, values.dtype, read),
        scaling=scaling_in_words(values.dtype),
    )


def open_nrrd(file: Path) -> DepthStack:
    """Open an uncompressed NRRD file, whose header lists the axes in the order x, y, z.

    Raises
    ------
    StackError
        If the file is damaged or compressed, or holds no depth stack.
    """
    import nrrd

    check_regular(file, StackError)
    with decoder_errors(StackError, file, "save it again", "as a grey NRRD"):
        # Read only the beginning of the file: in one without line breaks, pynrrd would read all values as one line.
        text = _beginning(file, _LONGEST_NRRD_HEADER)
        if _SEVERAL_FILES.search(re.split(rb"\r?\n\r?\n", text, maxsplit=1)[0]):
            raise StackError(f"{file} keeps its layers in several files; save it as one NRRD file.")
        lines = io.BytesIO(text)
        header: Any = nrrd.read_header(cast("Any", lines))
        # NRRD lists the fastest axis first, NumPy last.
        shape = tuple(int(one) for one in reversed(header["sizes"]))
        stored, encoding = _nrrd_dtype(header["type"]), header["encoding"]
        axes = find_axes(file, shape)
        check_shape(file, axes.of(shape))
        if encoding != "raw":
            raise StackError(f"{file} is compressed ({encoding}); save it with the encoding raw.")
        if stored.itemsize > 1:
            stored = stored.newbyteorder(">" if header.get("endian") == "big" else "<")
        data, offset = _nrrd_data(file, header, lines.tell(), shape, stored)
        voxel_size = _nrrd_voxel_size(header, axes)
    return _from_raw(data, shape, stored, offset, "nrrd", voxel_size, "C", source=file)


def _nrrd_dtype(name: str) -> np.dtype[Any]:
    if name not in _NRRD_DTYPES:
        raise ValueError(f"its values are of the type {name}")
    return np.dtype(_NRRD_DTYPES[name])


def _nrrd_data(file: Path, header: Any, offset: int, shape: tuple[int, ...], stored: np.dtype[Any]) -> tuple[Path, int]:
    """Return the file that holds the values, and the byte at which they begin."""
    apart = header.get("data file", header.get("datafile"))
    if apart is not None:
        # A header from elsewhere must not open files in other folders.
        if PurePath(str(apart)).name != str(apart) or "\\" in str(apart):
            raise StackError(f"{file} keeps its values in {apart}, not beside it; such a header is not followed.")
        file, offset = file.parent / str(apart), 0
        if not file.exists():
            raise StackError(f"{file} is not there, and its header says that it holds the values; copy it, too.")
    check_regular(file, StackError)
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    # By the format, -1 means that the values take up the end of the file.
    if skip == -1:
        return file, file.stat().st_size - int(np.prod(shape, dtype=object)) * stored.itemsize
    if skip < 0 or int(header.get("line skip", header.get("lineskip", 0))):
        raise StackError(f"{file} skips lines before its values; save it without.")
    return file, offset + skip


def _nrrd_voxel_size(header: Any, axes: Axes) -> float | None:
    """Return the spacing of x and y in micrometres if the two are equal and their unit is known, else None."""
    # NRRD's axes are in the reverse order of NumPy's.
    y, x = (axes.ndim - 1 - place for place in axes.places[1:])
    if "space directions" in header and "space units" in header:
        units = {_UM.get(str(unit)) for unit in header["space units"]}
        spacings = [float(np.linalg.norm(header["space directions"][place])) for place in (x, y)]
    elif "spacings" in header and "units" in header:
        units = {_UM.get(str(header["units"][place])) for place in (x, y)}
        spacings = [float(header["spacings"][place]) for place in (x, y)]
    else:
        return None
    unit = units.pop() if len(units) == 1 else None
    size = spacings[0] * unit if unit is not None and spacings[0] == spacings[1] else math.nan
    return size if 0 < size < math.inf else None


def _from_raw(
    file: Path | RemoteFile,
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    offset: int,
    kind: str,
    voxel_size: float | None,
    order: str,
    source: Path | None = None,
) -> DepthStack:
    axes = find_axes(file, shape)
    shape = axes.of(shape)
    check_shape(file, shape)
    check_dtype(file, stored)
    # In Fortran order the pixels of one layer are spread over the whole file: reading it remotely would fetch all of
    # it.
    if order == "F" and not isinstance(file, Path):
        raise StackError(f"{file} is stored in Fortran order; download it and open the copy.")
    raw = RawArray(file, stored, offset, (shape[0], shape[1], shape[2]), state_of(file), order)
    place = source or file
    return DepthStack(
        place if isinstance(place, Path) else str(place),
        Path(place.name).stem,
        raw.shape,
        grey_dtype(stored),
        voxel_size,
        kind,
        reading_grey(file, stored, raw),
        home=place.parent if isinstance(place, Path) else None,
        scaling=scaling_in_words(stored),
        are_layers_apart=order == "C",
    )
