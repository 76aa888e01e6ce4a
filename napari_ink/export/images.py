"""Label planes as PNG, TIFF and NumPy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_ink.annotation.reading import open_numpy, opened_plane
from napari_ink.export.grey_planes import plane_of_levels
from napari_ink.export.planes import LabelPlane
from napari_ink.mask_meaning import LABELS_KEY, LABELS_TEXT
from napari_ink.typing import UInt8Array

_TILE = 512
# Above this, with room for the directory of tiles, a TIFF needs 64-bit offsets (BigTIFF).
_CLASSIC_BYTES = 2**32 - 2**25


def write_png(plane: LabelPlane, path: Path) -> None:
    """Write a grey PNG of 8 bits; the whole plane is read into memory, since Pillow writes no parts."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    # Readers of this program find the meaning of the values in a text chunk; others ignore it.
    info = PngInfo()
    if not plane.is_mask:
        info.add_text(LABELS_KEY, _words(plane))
    Image.fromarray(plane.whole()).save(path, "PNG", pnginfo=info)


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
        description=None if plane.is_mask else f"{LABELS_KEY} {_words(plane)}",
        **tiled,
    )


def _words(plane: LabelPlane) -> str:
    """Return the meaning of the label values as text, since labels without a 2 look like a mask otherwise."""
    return f"{LABELS_TEXT}: {', '.join(f'{value} {name}' for value, name in plane.names.items())}"


def write_npy(plane: LabelPlane, path: Path) -> None:
    """Write a NumPy file ``(y, x)`` of uint8, a band of rows at a time."""
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": plane.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for band in plane.bands():
            file.write(np.ascontiguousarray(band).data)


def note_on_npy(plane: LabelPlane, path: Path) -> str:
    """Return a warning if a NumPy file of these labels will be read as a mask; empty if it will not.

    Labels without a 2 look like a mask of 0 and 1, and a NumPy file has no metadata to tell them apart.
    """
    if path.suffix.lower() != ".npy" or plane.is_mask or any((band > 1).any() for band in plane.bands()):
        return ""
    return (
        f"{path} contains label values without a 2, which a NumPy file can't mark as labels, so its 1 will be read as "
        "the white of a mask; export PNG, TIFF or OME-Zarr to keep them."
    )


def read_image(path: Path, shape: tuple[int, int] | None, threshold: float | None = None) -> LabelPlane:
    """Read a PNG or TIFF as a label plane; see `Format.read`."""
    with opened_plane(path) as plane:
        return plane_of_levels(plane.whole(), path, samples=plane.samples, threshold=threshold)


def read_npy(path: Path, shape: tuple[int, int] | None, threshold: float | None = None) -> LabelPlane:
    """Open a NumPy file ``(y, x)`` of bool or whole numbers as a lazy label plane; see `Format.read`."""
    return plane_of_levels(open_numpy(path), path, threshold=threshold)


def _tiles(plane: LabelPlane) -> Iterator[UInt8Array]:
    for band in plane.bands(_TILE):
        for left in range(0, plane.shape[1], _TILE):
            yield np.ascontiguousarray(band[:, left : left + _TILE])
