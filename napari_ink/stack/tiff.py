"""Depth layers in TIFF files: headers are read first, then single strips, tiles or blocks of uncompressed values."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_ink.decoding import check_memory, check_unpacked, decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey
from napari_ink.stack.grey import check_dtype, from_white
from napari_ink.stack.image_orientation import TAG, UPRIGHT, orientation_of
from napari_ink.stack.raw import RawArray, State, check_unchanged, state_of
from napari_ink.stack.tiff_directories import RESTORE, open_tiff

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

# Errors that tifffile, its codecs and the operating system raise for broken files. A damaged tag may be a tuple instead
# of a number (TypeError) or a zero to divide by (ArithmeticError); a damaged size may need more memory than there is.
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

# Most bytes that one stored byte unpacks to, by the number of the compression: none, LZW, Deflate and PackBits. JPEG,
# LZMA, Zstandard and fax have no such limit, or one too large to be useful.
_MOST_UNPACKED = {1: 1, 5: 4096, 8: 1032, 32773: 64, 32946: 1032}


@dataclass(frozen=True)
class TiffPlane:
    """One plane of grey values or palette indices in a TIFF file.

    Attributes
    ----------
    file, page
        The file, and the index of the page in it.
    shape
        Height and width.
    dtype
        Dtype of the stored values.
    raw
        The plane as an array in the file, if it is uncompressed and contiguous; else None.
    state
        Size and time of the file when its header was read.
    in_strips
        Whether the plane is compressed in strips, which are as wide as the plane.
    stored_px
        Rows and columns of a compressed strip or tile; 1 and 1 if the plane is uncompressed.
    bits
        Bits per value that the file states, such as 12 for uint16 values with a white of 4095, or 1 for bool.
    is_inverted
        Whether the file states that 0 is white; `read` inverts the values, so that bright pixels are high.
    is_palette
        Whether the values are palette indices; `read` returns the indices.
    orientation
        Orientation that the file states, 1 to 8; `read` does not apply it.
    """

    file: Path | RemoteFile
    page: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    raw: RawArray | None
    state: State
    in_strips: bool = False
    stored_px: tuple[int, int] = (1, 1)
    bits: int = 16
    is_inverted: bool = False
    is_palette: bool = False
    orientation: int = UPRIGHT

    def read(self, y: slice, x: slice, step: int = 1) -> Grey:
        """Return every `step`-th of the rows `y` and columns `x`, with 0 for black and values of `bits` bits.

        Raises
        ------
        StackError
            If the file was removed, changed or damaged since it was opened.
        """
        if self.raw is not None:
            plane: Grey = self.raw(slice(0, 1), y, x, step)[0]
            return from_white(plane, self.bits) if self.is_inverted else plane
        check_unchanged(self.file, self.state)
        with decoder_errors(StackError, self.file, "restore the file"):
            return self._decode(y, x, step)

    def _decode(self, y: slice, x: slice, step: int) -> Grey:
        """Return a window by decoding the strips or tiles that it touches, one at a time."""
        rows, columns = range(y.start, y.stop, step), range(x.start, x.stop, step)
        out: Grey = np.zeros((len(rows), len(columns)), self.dtype.newbyteorder("="))
        if out.size == 0:
            return out
        with tifffile.TiffFile(self.file if isinstance(self.file, Path) else self.file.open()) as file:
            page = file.pages.get(self.page)
            tall, wide = page.chunks[:2]
            across = -(-self.shape[1] // wide)
            wanted = [
                row * across + column
                for row in range(y.start // tall, -(-y.stop // tall))
                for column in range(x.start // wide, -(-x.stop // wide))
                if _touches(rows, row * tall, tall) and _touches(columns, column * wide, wide)
            ]
            places = [(page.dataoffsets[i], page.databytecounts[i]) for i in wanted]
            for index, (data, _) in zip(wanted, _segments(file, places), strict=True):
                segment, position, size = page.decode(data, index, jpegtables=page.jpegtables)
                if segment is None:
                    continue  # a segment that was never written is black, also in a file in which 0 is white
                top, left = position[2], position[3]
                # The last strip may hold fewer rows, and the last tiles are padded beyond the image's border.
                block = segment.reshape(segment.shape[-3:-1])[: size[1], : size[2]]
                block = from_white(block, self.bits) if self.is_inverted else block
                _paste(out, block, rows, columns, (top, left))
        return out


def _touches(wanted: range, start: int, length: int) -> bool:
    """Whether any of the wanted rows is among the `length` rows from `start` on."""
    first = max(wanted.start, start)
    first += -(first - wanted.start) % wanted.step
    return first < min(start + length, wanted.stop)


def _segments(file: tifffile.TiffFile, places: list[tuple[int, int]]) -> Any:
    offsets, counts = zip(*places, strict=True)
    # Without `indices`, since tifffile before the end of 2025 used the index of a single segment on these offsets.
    return sorted(file.filehandle.read_segments(offsets, counts), key=lambda found: found[1])


def _paste(out: Grey, block: Grey, rows: range, columns: range, corner: tuple[int, int]) -> None:
    """Copy the wanted rows and columns of a block into `out`; `corner` is the block's first row and column."""
    here = []
    for wanted, start, length in zip((rows, columns), corner, block.shape, strict=True):
        first = max(0, -(-(start - wanted.start) // wanted.step))
        last = min(len(wanted), -(-(start + length - wanted.start) // wanted.step))
        here.append((slice(first, last), slice(wanted.start + first * wanted.step - start, None, wanted.step)))
    (to_y, from_y), (to_x, from_x) = here
    height, width = to_y.stop - to_y.start, to_x.stop - to_x.start
    if height > 0 and width > 0:
        out[to_y, to_x] = block[from_y, from_x][:height, :width]


def read_planes(path: Path | RemoteFile, of_masks: bool = False) -> list[TiffPlane]:
    """Read the headers of all planes of a TIFF file, without overviews, thumbnails and transparency masks.

    Parameters
    ----------
    path
        TIFF file to read.
    of_masks
        Whether to accept palettes and integers of any size, as masks have them, in addition to grey values.

    Raises
    ------
    StackError
        If the file is no TIFF, is cut short, has a loop of pages, or holds colours.
    """
    with decoder_errors(StackError, path, RESTORE):
        state = state_of(path)
        with open_tiff(path) as file:
            pages = [page.aspage() for page in file.pages]
            # One header for many planes: ImageJ's hyperstacks, and files that tifffile writes with `truncate`.
            is_one = len(pages) == 1 and (file.is_imagej or file.is_shaped) and file.series
            if is_one and file.series[0].ndim == 3 and math.prod(file.series[0].shape) > math.prod(pages[0].shape):
                return _contiguous_planes(path, file, state, of_masks)
            whole = [page for page in pages if not _is_extra(page)]
            # If all pages are flagged as overviews, the flags are a mistake and the pages are layers.
            planes = [_plane(path, page, state, of_masks) for page in whole or pages]
    if not planes:
        raise StackError(f"{path} is a TIFF file without an image; {RESTORE}.")
    return planes


def _is_extra(page: Any) -> bool:
    """Whether a page is a smaller copy of another one, or its transparency mask."""
    return bool(page.is_reduced or page.is_mask or page.photometric == tifffile.PHOTOMETRIC.MASK)


def _plane(path: Path | RemoteFile, page: Any, state: State, of_masks: bool) -> TiffPlane:
    _check_values(path, page, of_masks)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > state[0]:
            raise StackError(
                f"{path} is cut short: it has {state[0]} bytes and its header states {offset + count}; copy it again."
            )
    shape, raw = (page.imagelength, page.imagewidth), None
    if page.is_memmappable:
        # tifffile's dtype has the machine's byte order, whatever the file's is.
        stored = np.dtype(page.parent.byteorder + page.dtype.char)
        raw = RawArray(path, stored, page.dataoffsets[0], (1, *shape), state)
    else:
        _check_segments(path, page)
    return TiffPlane(
        path,
        page.index,
        shape,
        np.dtype(page.dtype),
        raw,
        state,
        in_strips=raw is None and page.chunks[-1] >= shape[1],
        stored_px=(1, 1) if raw is not None else (int(page.chunks[-2]), int(page.chunks[-1])),
        bits=int(page.bitspersample),
        is_inverted=page.photometric == tifffile.PHOTOMETRIC.MINISWHITE,
        is_palette=page.photometric == tifffile.PHOTOMETRIC.PALETTE,
        orientation=orientation_of(page.tags.valueof(TAG)),
    )


def _check_values(path: Path | RemoteFile, page: Any, of_masks: bool) -> None:
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not of_masks:
        raise StackError(f"{path} is a colour image with a palette; save it as 8- or 16-bit grey.")
    if page.imagedepth > 1:
        raise StackError(f"{path} holds {page.imagedepth} layers in one page; save each of them as a page of its own.")
    if page.samplesperpixel != 1 or len(page.shape) != 2:
        raise StackError(
            f"{path} is a colour image ({page.samplesperpixel} values a pixel) and a depth layer is grey; "
            "save it as 8- or 16-bit grey."
        )
    if 0 in page.shape:
        raise StackError(f"{path} holds an image of no pixels; {RESTORE}.")
    if page.dtype is None:
        raise StackError(f"{path} holds values of {page.bitspersample} bits; save it as 8- or 16-bit grey.")
    dtype = np.dtype(page.dtype)
    if not (of_masks and dtype.kind in "bui"):
        check_dtype(path, dtype)


def _check_segments(path: Path | RemoteFile, page: Any) -> None:
    """Refuse strips or tiles that do not fit the image, the file or free memory, before decoding any of them."""
    number, stored = math.prod(page.chunked), len(page.dataoffsets)
    if stored < number:
        raise StackError(
            f"{path} is damaged: its {page.imagelength} × {page.imagewidth} pixels need {number} strips or tiles, and "
            f"it has {stored}; {RESTORE}."
        )
    tall, wide = (int(side) for side in page.chunks[-2:])
    check_memory(tall * wide * page.dtype.itemsize, StackError, path, "save it in smaller strips or tiles")
    least = min(tall, page.imagelength) * min(wide, page.imagewidth) * int(page.bitspersample) // 8
    largest = max(page.databytecounts)
    if largest and (times := _MOST_UNPACKED.get(int(page.compression))):
        check_unpacked(least, largest, times, StackError, path)


def _contiguous_planes(
    path: Path | RemoteFile, file: tifffile.TiffFile, state: State, of_masks: bool
) -> list[TiffPlane]:
    """Return the planes of a file with one header for all of them, which follow each other in the file."""
    first = _plane(path, file.pages.first, state, of_masks)
    count = file.series[0].shape[0]
    length = int(np.prod(first.shape)) * first.dtype.itemsize
    if first.raw is None or first.raw.offset + count * length > state[0]:
        raise StackError(f"{path} is cut short: it does not hold its {count} layers; copy it again.")
    return [
        replace(first, raw=replace(first.raw, offset=first.raw.offset + number * length)) for number in range(count)
    ]


def check_axes(path: Path | RemoteFile, pages: int) -> None:
    """Refuse a file with channels or times in addition to layers, whose pages would be taken for layers.

    Raises
    ------
    StackError
        If an OME or ImageJ header states channels or times besides layers, or more layers than there are pages.
    """
    try:
        with decoder_errors(StackError, path, RESTORE), open_tiff(path) as file:
            lengths = _axes(file)
    except StackError:
        return  # the header is optional: without a readable one, all pages count as layers
    # A single axis is the depth, whatever its name: programs without a notion of depth write channels or times.
    if sum(length > 1 for length in lengths.values()) > 1:
        found = " and ".join(f"{length} {axis}" for axis, length in lengths.items() if length > 1)
        raise StackError(f"{path} holds {found}, and a depth stack is layers alone; save one of the others by itself.")
    if (planes := max(lengths.values(), default=1)) > pages:
        raise StackError(f"{path} states {planes} layers and holds {pages}; open the folder with all of its files.")


def _axes(file: tifffile.TiffFile) -> dict[str, int]:
    """Return the numbers of channels, times and layers in an OME or ImageJ header."""
    if file.is_ome:
        elements = ElementTree.fromstring(file.ome_metadata or "").iter()
        pixels = next((element for element in elements if element.tag.endswith("}Pixels")), None)
        names = {"channels": "SizeC", "times": "SizeT", "layers": "SizeZ"}
        return {} if pixels is None else {axis: int(pixels.get(name, "1")) for axis, name in names.items()}
    if file.is_imagej:
        header, names = file.imagej_metadata or {}, {"channels": "channels", "times": "frames", "layers": "slices"}
        return {axis: int(header.get(name, 1)) for axis, name in names.items()}
    return {}


def voxel_size_um(path: Path | RemoteFile) -> float | None:
    """Return the pixel size in micrometres from an ImageJ or OME header; None if it states none."""
    try:
        with decoder_errors(StackError, path, RESTORE), open_tiff(path) as file:
            if file.is_ome:
                return _ome_pixel_size(file.ome_metadata or "")
            if file.is_imagej and (file.imagej_metadata or {}).get("unit") in ("um", "µm", "micron", "\\u00B5m"):
                # TIFF stores a rational number of pixels per unit of length, here per micrometre.
                pixels, length = file.pages.first.tags["XResolution"].value
                return float(length / pixels) if pixels else None
    except StackError:
        return None
    return None


def _ome_pixel_size(metadata: str) -> float | None:
    """Return the pixel size in OME metadata; None unless it is in µm and the same for all images, x and y."""
    pixels = [element for element in ElementTree.fromstring(metadata).iter() if element.tag.endswith("}Pixels")]
    stated = {element.get(f"PhysicalSize{axis}") for element in pixels for axis in "XY"}
    units = {element.get(f"PhysicalSize{axis}Unit", "µm") for element in pixels for axis in "XY"}
    if len(stated) != 1 or units != {"µm"}:
        return None
    size = stated.pop()
    return float(size) if size is not None else None
