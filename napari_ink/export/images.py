"""Planes as PNG, TIFF and NumPy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.annotation.reading import read_label_image
from napari_ink.errors import LabelError
from napari_ink.export.levels import plane_of_levels
from napari_ink.export.planes import LabelPlane, UInt8Array

_TILE = 512
_CLASSIC_BYTES = 2**32 - 2**25


def write_png(plane: LabelPlane, path: Path) -> None:
    """Write a grey PNG of 8 bits; Pillow needs the whole plane in memory."""
    from PIL import Image

    Image.fromarray(plane.whole()).save(path, "PNG")


def write_tiff(plane: LabelPlane, path: Path) -> None:
    """Write a grey TIFF of 8 bits in tiles of 512 pixels, a row of tiles at a time."""
    import tifffile

    height, width = plane.shape
    # An empty image has no tiles; tifffile writes it as one empty page.
    tiled = {"tile": (_TILE, _TILE), "data": _tiles(plane)} if height and width else {"data": plane.whole()}
    tifffile.imwrite(
        path,
        shape=plane.shape,
        dtype=np.uint8,
        compression="zlib",
        photometric="minisblack",
        bigtiff=height * width > _CLASSIC_BYTES,
        metadata=None,
        **tiled,
    )


def write_npy(plane: LabelPlane, path: Path) -> None:
    """Write a NumPy file ``(y, x)`` of uint8, a band of rows at a time."""
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": plane.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for band in plane.bands():
            file.write(np.ascontiguousarray(band).data)


def read_image(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read a grey PNG or TIFF.

    Raises
    ------
    LabelError
        If it cannot be read.
    """
    return plane_of_levels(read_label_image(path), path)


def read_npy(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Open a NumPy file ``(y, x)`` of bool or whole numbers; it stays on the disk.

    Raises
    ------
    LabelError
        If it cannot be read, or is no plane of such values.
    """
    try:
        values: npt.NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LabelError(f"{path} cannot be read as a NumPy file ({error}); save it with numpy.save.") from error
    return plane_of_levels(values, path)


def _tiles(plane: LabelPlane) -> Iterator[UInt8Array]:
    for band in plane.bands(_TILE):
        for left in range(0, plane.shape[1], _TILE):
            yield np.ascontiguousarray(band[:, left : left + _TILE])
