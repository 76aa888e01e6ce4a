"""TIFF files as depth layers: headers read first, then memory maps or single strips and tiles."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey

# What tifffile, its codecs and the operating system raise over broken files. A damaged tag may come as a tuple where a
# number is due, or as a zero to divide by: TypeError and ArithmeticError; a damaged size may ask for
# more memory than there is.
READ_ERRORS = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    RuntimeError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class TiffPlane:
    """One grey plane in a TIFF file: where it lies and how it is stored.

    Attributes
    ----------
    path, page
        The file, and the number of the page in it.
    shape
        Height and width.
    dtype
        Of the values, in this machine's byte order.
    stored
        Byte order, kind and size as they lie in the file, where the plane can be memory-mapped; else None.
    offset
        Where its first byte lies.
    """

    path: Path
    page: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    stored: str | None
    offset: int

    def read(self, y: slice, x: slice) -> Grey:
        """Read rows `y` and columns `x`.

        Raises
        ------
        StackError
            If the file has gone, changed or broken since it was opened.
        """
        try:
            if self.stored is not None:
                plane = np.memmap(self.path, self.stored, "r", self.offset, self.shape)
                return np.asarray(plane[y, x]).astype(self.dtype, copy=True)
            return self._decode(y, x)
        except READ_ERRORS as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StackError(f"{self.path} can no longer be read ({reason}); restore the file.") from error

    def _decode(self, y: slice, x: slice) -> Grey:
        """Decode only the strips or tiles that the window touches."""
        out: Grey = np.zeros((y.stop - y.start, x.stop - x.start), self.dtype)
        if out.size == 0:
            return out
        with tifffile.TiffFile(self.path) as file:
            page = file.pages[self.page].aspage()
            tall, wide = page.chunks[:2]
            across = -(-self.shape[1] // wide)
            wanted = [
                row * across + column
                for row in range(y.start // tall, -(-y.stop // tall))
                for column in range(x.start // wide, -(-x.stop // wide))
            ]
            places = [(page.dataoffsets[i], page.databytecounts[i]) for i in wanted]
            for index, (data, _) in zip(wanted, _segments(file, places), strict=True):
                segment, position, size = page.decode(data, index, jpegtables=page.jpegtables)
                if segment is None:
                    continue  # a segment that was never written: zeros
                top, left = position[2], position[3]
                block = segment.reshape(segment.shape[-3:-1])[: size[1], : size[2]]
                _paste(out, block, top - y.start, left - x.start)
        return out


def _segments(file: tifffile.TiffFile, places: list[tuple[int, int]]) -> Any:
    offsets, counts = zip(*places, strict=True)
    # No `indices`: until the end of 2025 tifffile looked a lone segment up by them in the offsets.
    return sorted(file.filehandle.read_segments(offsets, counts), key=lambda found: found[1])


def _paste(out: Grey, block: Grey, top: int, left: int) -> None:
    """Put `block` into `out` with its corner at (top, left), cut to what fits."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + block.shape[0], out.shape[0]), min(left + block.shape[1], out.shape[1])
    if y0 < y1 and x0 < x1:
        out[y0:y1, x0:x1] = block[y0 - top : y1 - top, x0 - left : x1 - left]


def read_planes(path: Path) -> list[TiffPlane]:
    """Read the headers of every plane of a TIFF file.

    Raises
    ------
    StackError
        If the file is no TIFF, is cut short, or holds anything but 8- or 16-bit grey.
    """
    try:
        with tifffile.TiffFile(path) as file:
            if file.is_imagej and len(file.pages) == 1 and file.series and file.series[0].ndim == 3:
                return _contiguous_planes(path, file)
            planes = [_plane(path, number, page) for number, page in enumerate(file.pages)]
    except READ_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StackError(f"{path} cannot be read as TIFF ({reason}); replace it with the original file.") from error
    if not planes:
        raise StackError(f"{path} is a TIFF file without an image; replace it with the original file.")
    return planes


def _plane(path: Path, number: int, page: Any) -> TiffPlane:
    page = page.aspage()
    _check_grey(path, page)
    size = path.stat().st_size
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > size:
            raise StackError(
                f"{path} is cut short: it has {size} bytes and its header speaks of {offset + count}; copy it again."
            )
    mapped = page.is_memmappable
    stored = page.parent.byteorder + page.dtype.char if mapped else None
    dtype = np.dtype(page.dtype).newbyteorder("=")
    return TiffPlane(path, number, (page.imagelength, page.imagewidth), dtype, stored, page.dataoffsets[0])


def _check_grey(path: Path, page: Any) -> None:
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise StackError(f"{path} is a colour image with a palette; save it as 8- or 16-bit grey.")
    if page.samplesperpixel != 1 or len(page.shape) != 2:
        raise StackError(
            f"{path} is a colour image ({page.samplesperpixel} values a pixel) and a depth layer is grey; "
            "save it as 8- or 16-bit grey."
        )
    if 0 in page.shape:
        raise StackError(f"{path} holds an image of no pixels; replace it with the original file.")
    if page.dtype not in (np.uint8, np.uint16):
        raise StackError(f"{path} holds {page.dtype} values; save it as 8- or 16-bit grey.")


def _contiguous_planes(path: Path, file: tifffile.TiffFile) -> list[TiffPlane]:
    """Return the planes of an ImageJ hyperstack that has one header for many planes."""
    first = _plane(path, 0, file.pages[0])
    count = file.series[0].shape[0]
    length = int(np.prod(first.shape)) * first.dtype.itemsize
    if first.stored is None or first.offset + count * length > path.stat().st_size:
        raise StackError(f"{path} is cut short: it does not hold its {count} layers; copy it again.")
    return [
        TiffPlane(path, 0, first.shape, first.dtype, first.stored, first.offset + number * length)
        for number in range(count)
    ]


def voxel_size_um(path: Path) -> float | None:
    """Return the pixel size that an ImageJ or OME header states in micrometres, or None."""
    try:
        with tifffile.TiffFile(path) as file:
            if file.is_ome:
                return _ome_pixel_size(file.ome_metadata or "")
            if file.is_imagej and (file.imagej_metadata or {}).get("unit") in ("um", "µm", "micron", "\\u00B5m"):
                pixels, length = file.pages.first.tags["XResolution"].value
                return float(length / pixels) if pixels else None
    except (*READ_ERRORS, ElementTree.ParseError):
        return None
    return None


def _ome_pixel_size(metadata: str) -> float | None:
    """Return the pixel size that OME metadata state, where it is one for all images, the same in y and x, in µm."""
    pixels = [element for element in ElementTree.fromstring(metadata).iter() if element.tag.endswith("}Pixels")]
    stated = {element.get(f"PhysicalSize{axis}") for element in pixels for axis in "XY"}
    units = {element.get(f"PhysicalSize{axis}Unit", "µm") for element in pixels for axis in "XY"}
    if len(stated) != 1 or units != {"µm"}:
        return None
    size = stated.pop()
    return float(size) if size is not None else None
