"""A depth stack that is one array in a file: NumPy, NRRD and HDF5."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.grey import check_dtype, grey_dtype, reading_grey, scaling_in_words
from napari_ink.stack.raw import RawArray, check_unchanged, state_of
from napari_ink.stack.sizes import check_shape
from napari_ink.stack.tiff import READ_ERRORS

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

NRRD_SUFFIXES = (".nrrd", ".nhdr")
HDF5_SUFFIXES = (".h5", ".hdf5")
_UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_NRRD_DTYPES = {
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1", "short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2", "float": "f4",
}  # fmt: skip


def open_npy(file: Path | RemoteFile, voxel_size: float | None) -> DepthStack:
    """Open a NumPy file, which is mapped into memory or read by ranges.

    Raises
    ------
    StackError
        If it is damaged, or no depth stack.
    """
    try:
        with io.BytesIO(file.fetch(0, 2**16)) if not isinstance(file, Path) else file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            headers = np.lib.format  # which open no pickles and no archives
            read_header = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
            shape, is_fortran, stored = read_header(stream)
            offset = stream.tell()
        if stored.hasobject:
            raise ValueError("it holds Python objects")
    except (ValueError, TypeError, EOFError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise StackError(
            f"{file} cannot be read as a NumPy array ({reason}); save it again with numpy.save."
        ) from error
    return _from_raw(file, shape, stored, offset, "npy", voxel_size, "F" if is_fortran else "C")


def stack_of_array(values: Grey, name: str) -> DepthStack:
    """Return a depth stack of grey values ``(z, y, x)`` that are in memory.

    Raises
    ------
    StackError
        If they are none, or too many.
    """
    check_shape(name, values.shape)
    check_dtype(name, values.dtype)

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        return np.array(values[z, y.start : y.stop : step, x.start : x.stop : step])

    depth, height, width = values.shape
    return DepthStack(
        name, name, (depth, height, width), grey_dtype(values.dtype), None, "memory",
        reading_grey(name, values.dtype, read), scaling=scaling_in_words(values.dtype),
    )  # fmt: skip


def open_nrrd(file: Path) -> DepthStack:
    """Open an uncompressed NRRD file, its axes x, y, z as the format has them; it is mapped into memory.

    Raises
    ------
    StackError
        If it is damaged, compressed, or no depth stack.
    """
    import nrrd

    try:
        with file.open("rb") as stream:
            header = nrrd.read_header(stream)
            offset = stream.tell()
        shape = tuple(int(one) for one in reversed(header["sizes"]))
        stored, encoding = np.dtype(_NRRD_DTYPES[header["type"]]), header["encoding"]
    except (nrrd.NRRDError, *READ_ERRORS, StopIteration) as error:  # StopIteration: an empty file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StackError(f"{file} cannot be read as a grey NRRD ({reason}); save it again.") from error
    if encoding != "raw":
        raise StackError(f"{file} is compressed ({encoding}); save it with the encoding raw.")
    if stored.itemsize > 1:
        stored = stored.newbyteorder(">" if header.get("endian") == "big" else "<")
    data, offset = _nrrd_data(file, header, offset, shape, stored)
    return _from_raw(data, shape, stored, offset, "nrrd", _nrrd_voxel_size(header), "C", source=file)


def _nrrd_data(file: Path, header: Any, offset: int, shape: tuple[int, ...], stored: np.dtype[Any]) -> tuple[Path, int]:
    """Return the file that holds the values, and where they begin in it."""
    apart = header.get("data file", header.get("datafile"))
    if apart is not None:
        if PurePath(str(apart)).name != str(apart) or "\\" in str(apart):
            raise StackError(f"{file} keeps its values in {apart}, not beside it; such a header is not followed.")
        file, offset = file.parent / str(apart), 0
        if not file.is_file():
            raise StackError(f"{file} is not there, and its header says that it holds the values; copy it, too.")
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if skip == -1:
        return file, file.stat().st_size - int(np.prod(shape, dtype=object)) * stored.itemsize
    if skip < 0 or int(header.get("line skip", header.get("lineskip", 0))):
        raise StackError(f"{file} skips lines before its values; save it without.")
    return file, offset + skip


def _nrrd_voxel_size(header: Any) -> float | None:
    """Return the spacing of x and y where they are one, in a unit that is known."""
    if "space directions" in header and "space units" in header:
        units = {_UM.get(str(unit)) for unit in header["space units"]}
        spacings = [float(np.linalg.norm(one)) for one in header["space directions"]]
    elif "spacings" in header and "units" in header:
        units, spacings = {_UM.get(str(unit)) for unit in header["units"]}, [float(one) for one in header["spacings"]]
    else:
        return None
    unit = units.pop() if len(units) == 1 else None
    is_sound = unit is not None and np.isfinite(spacings[:2]).all() and spacings[0] == spacings[1] > 0
    return spacings[0] * unit if is_sound and unit is not None else None


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
    check_shape(file, shape)
    check_dtype(file, stored)
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
    )


def open_hdf5(file: Path, name: str) -> DepthStack:
    """Open a dataset of an HDF5 file; without a name, the only one of three axes.

    Raises
    ------
    StackError
        If h5py is not installed, there is no such dataset, or it leads out of the file.
    """
    try:
        import h5py
    except ImportError as error:
        raise StackError(f"{file} needs h5py to be read; install it with: pip install 'napari-ink[hdf5]'.") from error
    try:
        opened = h5py.File(file, "r")
        data = _dataset(file, opened, name)
        stored, shape = data.dtype, tuple(data.shape)
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise StackError(f"{file} cannot be read as HDF5 ({error}); replace it with the original file.") from error
    check_shape(f"{file}::{data.name}", shape)
    check_dtype(f"{file}::{data.name}", stored)
    state = state_of(file)

    def read(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        check_unchanged(file, state)
        try:
            return np.asarray(data[z, y.start : y.stop : step, x.start : x.stop : step])
        except (OSError, RuntimeError, ValueError) as error:
            raise StackError(f"{file} can no longer be read ({error}); restore the file.") from error

    slow = f"its values are compressed in chunks of {' × '.join(map(str, data.chunks))}" if data.compression else ""
    return DepthStack(
        Path(f"{file}::{data.name}"), file.stem, (shape[0], shape[1], shape[2]), grey_dtype(stored), None,
        "hdf5", reading_grey(file, stored, read), file.parent, scaling=scaling_in_words(stored), slow=slow,
        stored_px=(1, 1) if data.chunks is None else (int(data.chunks[1]), int(data.chunks[2])),
    )  # fmt: skip


def _dataset(file: Path, opened: Any, name: str) -> Any:
    """Return a dataset whose values lie in this very file."""
    import h5py

    def is_here(path: str) -> bool:
        parts = [part for part in path.split("/") if part]
        links = (opened.get("/".join(parts[: n + 1]), getlink=True) for n in range(len(parts)))
        return not any(isinstance(link, h5py.ExternalLink) for link in links)

    if name and not is_here(name):
        raise StackError(f"{file}::{name} leads to another file; open that one.")
    if name and not isinstance(opened.get(name), h5py.Dataset):
        raise StackError(f"{file} holds no dataset {name}; {_there(opened)}.")
    found = [opened[name]] if name else _datasets(opened)
    if len(found) != 1:
        raise StackError(f"{file} holds {len(found)} datasets of three axes, {_there(opened)}; name one: FILE::NAME.")
    if found[0].is_virtual or found[0].external:
        raise StackError(f"{file}::{found[0].name} keeps its values in other files; such a dataset is not opened.")
    return found[0]


def _datasets(opened: Any) -> list[Any]:
    import h5py

    found: list[Any] = []
    opened.visititems(lambda _, one: found.append(one) if isinstance(one, h5py.Dataset) and one.ndim == 3 else None)
    return found


def _there(opened: Any) -> str:
    return "it holds " + (", ".join(one.name for one in _datasets(opened)) or "none of three axes")
