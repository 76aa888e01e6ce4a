"""Mask and label planes in TIFF files: grey ones are read by strips or tiles, ones saved in colour as a whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_ink.decoding import check_memory, decoder_errors
from napari_ink.errors import LabelError, StackError
from napari_ink.mask_meaning import LABELS_KEY, LABELS_TEXT, Colour, Samples
from napari_ink.stack.grey import from_white
from napari_ink.stack.image_orientation import TAG, note_on_plane, orientation_of
from napari_ink.stack.plane import STRIP_PX, StoredPlane, as_plane, check_plane, grey_of_colours
from napari_ink.stack.tiff import TiffPlane, read_planes

_SAVE_GREY = "save it as a grey PNG or TIFF"
_SUFFIXES = (".tif", ".tiff")
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LABELS_DESCRIPTION = f"{LABELS_KEY} {LABELS_TEXT}"


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF by its suffix or its first bytes."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    with decoder_errors(LabelError, path, "check the path"), path.open("rb") as file:
        return file.read(4) in _MAGIC


def tiff_plane(path: Path) -> StoredPlane:
    """Open a TIFF of one plane.

    Raises
    ------
    LabelError
        If the file cannot be read, or is not one plane of integers.
    """
    with decoder_errors(LabelError, path, _SAVE_GREY), tifffile.TiffFile(path) as file:
        page = file.pages.first.aspage()
        palette, is_labels = _palette(page), str(page.description or "").startswith(LABELS_DESCRIPTION)
        if page.samplesperpixel > 1 or len(page.chunks) > 2:
            return _whole_page(path, page)
    try:
        planes = read_planes(path, of_masks=True)
    except StackError as error:
        raise LabelError(str(error)) from error
    plane = planes[0]
    check_plane(plane.shape if len(planes) == 1 else (len(planes), *plane.shape), plane.dtype, path)
    with decoder_errors(LabelError, path, _SAVE_GREY), tifffile.TiffFile(path) as file:
        # One page may be the header of several planes, which only the series counts.
        shape = tuple(int(side) for side in file.series[0].shape)
    if math.prod(shape) > math.prod(plane.shape):
        check_plane(shape, plane.dtype, path)
    bits = plane.bits if plane.dtype.kind in "bu" and plane.bits <= 16 else None
    note = note_on_plane(path, plane.orientation)
    return _by_strips(path, plane, Samples(bits, palette, is_labels, plane.is_inverted, note))


def _by_strips(path: Path, plane: TiffPlane, samples: Samples) -> StoredPlane:
    def read(y: slice) -> npt.NDArray[Any]:
        try:
            return plane.read(y, slice(0, plane.shape[1]))
        except StackError as error:  # a damaged strip, or a file that changed since it was opened
            raise LabelError(str(error)) from error

    # Any row needs its whole strip decoded, so about as many rows are read at once.
    at_once = -(-plane.stored_px[0] // STRIP_PX) * STRIP_PX
    return StoredPlane(path, plane.shape, plane.dtype.newbyteorder("="), samples, read, at_once)


def _whole_page(path: Path, page: Any) -> StoredPlane:
    """Read a whole page that is saved in colour, or in tiles of several layers."""
    check_memory(2 * math.prod(page.shape) * page.dtype.itemsize, LabelError, path, "save it as a grey TIFF")
    values: npt.NDArray[Any] = page.asarray()
    if page.samplesperpixel > 1:
        values = np.moveaxis(values, 0, -1) if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE else values
        values = grey_of_colours(values, path)
    values = as_plane(values)
    check_plane(values.shape, values.dtype, path)
    if is_turned := page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        values = from_white(values, int(page.bitspersample))
    bits = int(page.bitspersample) if values.dtype.kind in "bu" and values.dtype.itemsize <= 2 else None
    note = note_on_plane(path, orientation_of(page.tags.valueof(TAG)))
    samples = Samples(bits, _palette(page), is_turned=is_turned, note=note)
    return StoredPlane(path, values.shape, values.dtype, samples, lambda y: values[y])


def _palette(page: Any) -> tuple[Colour, ...]:
    """Return the colours of a page's palette in 8 bits; an empty tuple without a palette."""
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None:
        return ()
    parts = np.asarray(page.colormap)
    parts = parts >> 8 if parts.max(initial=0) > 255 else parts  # TIFF states 16 bits, but some programs write 8
    return tuple((int(red), int(green), int(blue)) for red, green, blue in parts.T)
