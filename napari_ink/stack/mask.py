"""Masks of whole segments: read a strip at a time, and kept in little memory however large they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_ink.errors import LabelError, StackError
from napari_ink.stack.plane import check_plane, check_size, grey_of, opened_picture, read_plane
from napari_ink.stack.tiff import READ_ERRORS, TiffPlane, read_planes

Mask = npt.NDArray[np.bool_]
_SQUARE = 256


class SegmentMask:
    """Where a segment has papyrus, or is to be predicted: cut like a bool array ``(y, x)``, and much smaller.

    Of squares of 256 pixels that are all of one value no pixel is kept, of the others a bit for each: that is a ten
    thousandth of an array where an outline is smooth.

    Parameters
    ----------
    shape
        Height and width of the segment.
    strips
        Its rows from the top, bool, as wide as it; each strip but the last a multiple of 256 rows high.

    Attributes
    ----------
    shape
        Height and width of the segment.
    """

    def __init__(self, shape: tuple[int, int], strips: Iterable[Mask]) -> None:
        self.shape = shape
        self._all_true: set[tuple[int, int]] = set()
        self._mixed: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
        row = 0
        for strip in strips:
            for top in range(0, len(strip), _SQUARE):
                self._keep(row, strip[top : top + _SQUARE])
                row += 1

    def _keep(self, row: int, strip: Mask) -> None:
        for column, left in enumerate(range(0, self.shape[1], _SQUARE)):
            square = strip[:, left : left + _SQUARE]
            if square.all():
                self._all_true.add((row, column))
            elif square.any():
                self._mixed[row, column] = np.packbits(square, axis=1)

    @property
    def nbytes(self) -> int:
        """Memory of what is neither all true nor all false, in bytes."""
        return sum(bits.nbytes for bits in self._mixed.values())

    def __getitem__(self, window: tuple[slice, slice]) -> Mask:
        """Return the values of rows and columns, bool ``(y, x)``; the slices have no step."""
        (y0, y1, _), (x0, x1, _) = (part.indices(n) for part, n in zip(window, self.shape, strict=True))
        found = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
        for y, x, square in self._squares(y0, y1, x0, x1):
            found[y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0] = square
        return found

    def any(self, y: slice, x: slice) -> bool:
        """Whether any pixel of these rows and columns is true."""
        (y0, y1, _), (x0, x1, _) = (part.indices(n) for part, n in zip((y, x), self.shape, strict=True))
        return any(np.any(square) for _, _, square in self._squares(y0, y1, x0, x1))

    def _squares(self, y0: int, y1: int, x0: int, x1: int) -> Iterator[tuple[slice, slice, Mask | bool]]:
        """Go through the squares in a window that are not all false: rows and columns in it, and their values."""
        if y0 >= y1 or x0 >= x1:
            return
        for row in range(y0 // _SQUARE, -(-y1 // _SQUARE)):
            for column in range(x0 // _SQUARE, -(-x1 // _SQUARE)):
                top, left = row * _SQUARE, column * _SQUARE
                y = slice(max(y0, top), min(y1, top + _SQUARE))
                x = slice(max(x0, left), min(x1, left + _SQUARE))
                if (row, column) in self._all_true:
                    yield y, x, True
                elif (bits := self._mixed.get((row, column))) is not None:
                    values = np.unpackbits(bits[y.start - top : y.stop - top], axis=1, count=x.stop - left)
                    yield y, x, values[:, x.start - left :].view(bool)


@dataclass(frozen=True)
class _Rows:
    """A grey plane that is read by its rows."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    read: Callable[[slice], npt.NDArray[Any]]
    at_once: int = _SQUARE

    def strips(self, height: int) -> Iterator[npt.NDArray[Any]]:
        """Read the first rows, `height` of them, a strip at a time."""
        for top in range(0, height, self.at_once):
            yield self.read(slice(top, min(top + self.at_once, height)))


def read_segment_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> SegmentMask:
    """Read a mask or a label image of a stack of height and width `shape`, a strip at a time.

    A larger image is cropped at the bottom and right. A soft one is cut at half of its dtype's range, or of that of 8
    or 16 bits where its values need no more; one whose largest value is 1 is taken as it is.

    Of a TIFF of one page of 8 or 16 bits, in strips or tiles, a row of these is in memory at a time; any other image is
    whole there, for as long as it is being read.

    Raises
    ------
    LabelError
        If it cannot be read, is smaller than the stack, or holds label values: of these a mask would be empty.
    """
    path = Path(path)
    with _rows_of(path) as rows:
        brightest = max((int(strip.max(initial=0)) for strip in rows.strips(rows.shape[0])), default=0)
        if brightest == 2:
            raise LabelError(f"{path} holds label values of 0 to 2, not a mask; export its ink as a mask first.")
        check_size(rows.shape, shape, path)
        dark = _largest_dark(brightest, rows.dtype)
        return SegmentMask(shape, (strip[:, : shape[1]] > dark for strip in rows.strips(shape[0])))


def read_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> Mask:
    """Read a mask or a label image as `read_segment_mask` does, as one bool array ``(y, x)``.

    Raises
    ------
    LabelError
        As there.
    """
    return read_segment_mask(path, shape)[:, :]


def _largest_dark(brightest: int, dtype: np.dtype[Any]) -> int:
    """Return the largest value that is not in a mask."""
    if brightest <= 1:
        return 0
    # Some save 0 and 255 with 16 bits: white is where the values are, not where they could be.
    return int(min(top for top in (255, 65535, np.iinfo(dtype).max) if brightest <= top)) // 2


@contextmanager
def _rows_of(path: Path) -> Iterator[_Rows]:
    if (plane := _tiff_plane(path)) is not None:
        try:
            yield _rows_of_tiff(plane)
        except StackError as error:  # a strip that is broken, or a file that changed while it was read
            raise LabelError(str(error)) from error
    elif path.is_file() and path.suffix.lower() not in (".tif", ".tiff"):
        with opened_picture(path) as image:
            yield _rows_of_picture(path, image)
    else:
        whole = read_plane(path)
        yield _Rows(whole.shape, whole.dtype, lambda y: whole[y])


def _tiff_plane(path: Path) -> TiffPlane | None:
    """Return the one plane of a TIFF that can be read a strip at a time; None for any other file."""
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return None
    try:
        planes = read_planes(path)
        with tifffile.TiffFile(path) as file:
            sides = [side for side in file.series[0].shape if side > 1]
            is_flat = len(file.pages.first.chunks) == 2
    except (StackError, *READ_ERRORS):
        return None  # it is read whole, or refused, as a plane of any other kind
    is_all = len(planes) == 1 and sides == [side for side in planes[0].shape if side > 1]
    return planes[0] if is_all and is_flat and planes[0].dtype.kind in "bui" else None


def _rows_of_tiff(plane: TiffPlane) -> _Rows:
    # All of a strip is decoded for any of its rows, so about as many are read at once.
    at_once = -(-plane.stored_px[0] // _SQUARE) * _SQUARE
    return _Rows(plane.shape, plane.dtype, lambda y: plane.read(y, slice(0, plane.shape[1])), at_once)


def _rows_of_picture(path: Path, image: Image.Image) -> _Rows:
    width, height = image.size
    first = grey_of(image.crop((0, 0, width, 1)))
    check_plane((height, *first.shape[1:]), first.dtype, path)
    return _Rows((height, width), first.dtype, lambda y: grey_of(image.crop((0, y.start, width, y.stop))))
