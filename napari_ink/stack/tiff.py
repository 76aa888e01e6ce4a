"""TIFF files as depth layers: headers read first, then memory maps or single strips and tiles."""

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
from napari_ink.stack.raw import RawArray, State, check_unchanged, state_of
from napari_ink.stack.tiff_directories import RESTORE, open_tiff

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

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

# How many bytes one stored byte can become at most, by the number of the compression. JPEG, LZMA, Zstandard and fax
# know no such bound, or one too large to be of use.
_MOST_UNPACKED = {1: 1, 5: 4096, 8: 1032, 32773: 64, 32946: 1032}


@dataclass(frozen=True)
class TiffPlane:
    """One plane in a TIFF file, grey or of palette indices: where it lies and how it is stored.

    Attributes
    ----------
    file, page
        The file, and the number of the page in it.
    shape
        Height and width.
    dtype
        Of the values as they are stored.
    stored_px
        Rows and columns of a strip or tile that is compressed; 1 and 1 where none is.
    in_strips
        Whether it is compressed in strips, which are as wide as it.
    raw
        The plane as an array in the file, where it lies there uncompressed; else None.
    state
        The file's, when its header was read.
    bits
        Bits of a value as the file states them: 12 where the dtype is uint16 and white is 4095. 1 where it is bool.
    is_inverted
        Whether the file says that 0 is white; `read` turns the values round, so that bright is high everywhere.
    is_palette
        Whether the values are numbers of colours in a palette; `read` returns these numbers.
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

    def read(self, y: slice, x: slice, step: int = 1) -> Grey:
        """Read rows `y` and columns `x`, only every `step`-th of each; they may still lie in the file.

        Values have their stored depth (`bits`); what the file calls black is 0.

        Raises
        ------
        StackError
            If the file has gone, changed or broken since it was opened.
        """
        if self.raw is not None:
            plane: Grey = self.raw(slice(0, 1), y, x, step)[0]
            return from_white(plane, self.bits) if self.is_inverted else plane
        check_unchanged(self.file, self.state)
        with decoder_errors(StackError, self.file, "restore the file"):
            return self._decode(y, x, step)

    def _decode(self, y: slice, x: slice, step: int) -> Grey:
        """Decode only the strips or tiles that the window touches, one at a time."""
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
                    continue  # a segment that was never written: black, whatever the file calls white
                top, left = position[2], position[3]
                block = segment.reshape(segment.shape[-3:-1])[: size[1], : size[2]]
                block = from_white(block, self.bits) if self.is_inverted else block
                _paste(out, block, rows, columns, (top, left))
        return out


def _touches(wanted: range, start: int, length: int) -> bool:
    """Whether any of the wanted rows lies among `length` from `start` on."""
    first = max(wanted.start, start)
    first += -(first - wanted.start) % wanted.step
    return first < min(start + length, wanted.stop)


def _segments(file: tifffile.TiffFile, places: list[tuple[int, int]]) -> Any:
    offsets, counts = zip(*places, strict=True)
    # No `indices`: until the end of 2025 tifffile looked a lone segment up by them in the offsets.
    return sorted(file.filehandle.read_segments(offsets, counts), key=lambda found: found[1])


def _paste(out: Grey, block: Grey, rows: range, columns: range, corner: tuple[int, int]) -> None:
    """Put those of the wanted rows and columns into `out` that lie in a block with its corner there."""
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
    """Read the headers of every plane of a TIFF file; overviews, thumbnails and transparency masks are left out.

    Parameters
    ----------
    path
        The file.
    of_masks
        Whether palettes and whole numbers of any size are let through besides grey values, as masks have them.

    Raises
    ------
    StackError
        If the file is no TIFF, is cut short, leads in circles, or holds anything but grey.
    """
    with decoder_errors(StackError, path, RESTORE):
        state = state_of(path)
        with open_tiff(path) as file:
            pages = [page.aspage() for page in file.pages]
            # One header for many planes: ImageJ's hyperstacks, and what tifffile writes truncated.
            is_one = len(pages) == 1 and (file.is_imagej or file.is_shaped) and file.series
            if is_one and file.series[0].ndim == 3 and math.prod(file.series[0].shape) > math.prod(pages[0].shape):
                return _contiguous_planes(path, file, state, of_masks)
            whole = [page for page in pages if not _is_extra(page)]
            # A file of nothing but overviews is somebody's layers, flagged by mistake.
            planes = [_plane(path, page, state, of_masks) for page in whole or pages]
    if not planes:
        raise StackError(f"{path} is a TIFF file without an image; {RESTORE}.")
    return planes


def _is_extra(page: Any) -> bool:
    """Whether a page is a smaller copy of another one, or says which of its pixels count."""
    return bool(page.is_reduced or page.is_mask or page.photometric == tifffile.PHOTOMETRIC.MASK)


def _plane(path: Path | RemoteFile, page: Any, state: State, of_masks: bool) -> TiffPlane:
    _check_values(path, page, of_masks)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > state[0]:
            raise StackError(
                f"{path} is cut short: it has {state[0]} bytes and its header speaks of "
                f"{offset + count}; copy it again."
            )
    shape, raw = (page.imagelength, page.imagewidth), None
    if page.is_memmappable:
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
    """Hold the strips or tiles against the image, the file and the memory, before any of them is decoded."""
    number, stored = math.prod(page.chunked), len(page.dataoffsets)
    if stored < number:
        raise StackError(
            f"{path} is damaged: its {page.imagelength} × {page.imagewidth} pixels take {number} strips or tiles, and "
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
    """Return the planes of a file that has one header for many of them."""
    first = _plane(path, file.pages.first, state, of_masks)
    count = file.series[0].shape[0]
    length = int(np.prod(first.shape)) * first.dtype.itemsize
    if first.raw is None or first.raw.offset + count * length > state[0]:
        raise StackError(f"{path} is cut short: it does not hold its {count} layers; copy it again.")
    return [
        replace(first, raw=replace(first.raw, offset=first.raw.offset + number * length)) for number in range(count)
    ]


def check_axes(path: Path | RemoteFile, pages: int) -> None:
    """Refuse a file whose pages are not the depth alone: its channels or times would pass for layers.

    Raises
    ------
    StackError
        If an OME or ImageJ header speaks of channels or times besides layers, or of more layers than there are.
    """
    try:
        with decoder_errors(StackError, path, RESTORE), open_tiff(path) as file:
            lengths = _axes(file)
    except StackError:
        return  # a header that cannot be read says nothing; the pages are what counts
    # One axis alone is the depth, whatever it is called: programs that know nothing of depth call it channels or times.
    if sum(length > 1 for length in lengths.values()) > 1:
        said = " and ".join(f"{length} {axis}" for axis, length in lengths.items() if length > 1)
        raise StackError(f"{path} holds {said}, and a depth stack is layers alone; save one of the others by itself.")
    if (planes := max(lengths.values(), default=1)) > pages:
        raise StackError(
            f"{path} speaks of {planes} layers and holds {pages}; open the folder that has the others, too."
        )


def _axes(file: tifffile.TiffFile) -> dict[str, int]:
    """Return how many channels, times and layers an OME or ImageJ header speaks of."""
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
    """Return the pixel size that an ImageJ or OME header states in micrometres, or None."""
    try:
        with decoder_errors(StackError, path, RESTORE), open_tiff(path) as file:
            if file.is_ome:
                return _ome_pixel_size(file.ome_metadata or "")
            if file.is_imagej and (file.imagej_metadata or {}).get("unit") in ("um", "µm", "micron", "\\u00B5m"):
                pixels, length = file.pages.first.tags["XResolution"].value
                return float(length / pixels) if pixels else None
    except StackError:
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
