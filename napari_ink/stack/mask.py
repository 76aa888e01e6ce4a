"""Masks of whole segments, read strip by strip and kept compressed in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError
from napari_ink.mask_meaning import Meaning
from napari_ink.stack.plane import STRIP_PX, StoredPlane, check_size
from napari_ink.stack.plane_opening import opened_plane
from napari_ink.typing import Mask

_SQUARE = STRIP_PX


class SegmentMask:
    """A mask of a segment, such as its papyrus or the part to predict; sliced like a bool array ``(y, x)``.

    It stores no pixels of squares of 256 × 256 pixels with one value, and one bit a pixel of others. For a smooth
    outline that is a ten-thousandth of the array's memory.

    Parameters
    ----------
    shape
        Height and width of the segment.
    strips
        Rows of the mask from the top as bool arrays ``(rows, width)``; the number of rows must be a multiple of 256 for
        all strips but the last.
    note
        Sentence on guesses about the mask's file; empty if there were none.

    Attributes
    ----------
    shape
        Height and width of the segment.
    note
        Sentence on guesses about the mask's file.
    """

    def __init__(self, shape: tuple[int, int], strips: Iterable[Mask], note: str = "") -> None:
        self.shape, self.note = shape, note
        self._all_true: set[tuple[int, int]] = set()
        self._mixed: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
        row = 0
        for strip in strips:
            for top in range(0, len(strip), _SQUARE):
                self._add_squares(row, strip[top : top + _SQUARE])
                row += 1

    def _add_squares(self, row: int, strip: Mask) -> None:
        for column, left in enumerate(range(0, self.shape[1], _SQUARE)):
            square = strip[:, left : left + _SQUARE]
            if square.all():
                self._all_true.add((row, column))
            elif square.any():
                # Squares of False alone need no entry. Bits are packed row by row, so that a window can unpack its rows
                # only.
                self._mixed[row, column] = np.packbits(square, axis=1)

    @property
    def nbytes(self) -> int:
        """Memory of the squares with both values, in bytes."""
        return sum(bits.nbytes for bits in self._mixed.values())

    def __getitem__(self, window: tuple[slice, slice]) -> Mask:
        """Return the mask in a window of rows and columns, bool ``(y, x)``; steps are ignored."""
        (y0, y1, _), (x0, x1, _) = (part.indices(n) for part, n in zip(window, self.shape, strict=True))
        found = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
        for y, x, square in self._squares(y0, y1, x0, x1):
            found[y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0] = square
        return found

    def any(self, y: slice, x: slice) -> bool:
        """Whether any pixel of a window of rows and columns is true."""
        (y0, y1, _), (x0, x1, _) = (part.indices(n) for part, n in zip((y, x), self.shape, strict=True))
        return any(np.any(square) for _, _, square in self._squares(y0, y1, x0, x1))

    def _squares(self, y0: int, y1: int, x0: int, x1: int) -> Iterator[tuple[slice, slice, Mask | bool]]:
        """Yield the rows, columns and values of the parts of squares in a window that are not all false."""
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
class InkFile:
    """The ink in a mask or label file, cropped to a stack's height and width.

    Attributes
    ----------
    values
        uint8 ``(y, x)``: label values 0 unreviewed, 1 papyrus and 2 ink; or of a mask, 1 for ink and 0 elsewhere.
    are_labels
        Whether these are label values.
    note
        Sentence on guesses about the values; empty if there were none.
    """

    values: npt.NDArray[np.uint8]
    are_labels: bool
    note: str


def read_segment_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> SegmentMask:
    """Read the mask of a stack of height and width `shape`, strip by strip.

    A larger image is cropped at the bottom and right. `mask_meaning` decides what its values mean. A grey TIFF, a NumPy
    file or a Zarr is in memory a few rows at a time; any other image is decoded whole while it is being read.

    Raises
    ------
    LabelError
        If the file cannot be read, is smaller than the stack, or its values are not a mask.
    """
    with opened_plane(path) as plane:
        meaning = _meaning_for(plane, shape)
        if meaning.are_labels:
            raise LabelError(f"{plane.path} holds label values of 0 to 2, not a mask; export its ink as a mask first.")
        strips = (meaning.is_white(strip[:, : shape[1]]) for strip in plane.strips(shape[0]))
        return SegmentMask(shape, strips, meaning.note)


def read_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> Mask:
    """Read a mask as one bool array ``(y, x)``; see `read_segment_mask`.

    Raises
    ------
    LabelError
        If the file cannot be read, is smaller than the stack, or its values are not a mask.
    """
    return read_segment_mask(path, shape)[:, :]


def read_ink(path: str | os.PathLike[str], shape: tuple[int, int]) -> InkFile:
    """Read an ink mask or label values of a stack of height and width `shape`; see `read_segment_mask`.

    Raises
    ------
    LabelError
        If the file cannot be read, is smaller than the stack, or its values are neither a mask nor labels.
    """
    with opened_plane(path) as plane:
        meaning = _meaning_for(plane, shape)
        values, top = np.empty(shape, np.uint8), 0
        for strip in plane.strips(shape[0]):
            part = strip[:, : shape[1]]
            values[top : top + len(part)] = meaning.labels(part) if meaning.are_labels else meaning.is_white(part)
            top += len(part)
        return InkFile(values, meaning.are_labels, meaning.note)


def _meaning_for(plane: StoredPlane, shape: tuple[int, int]) -> Meaning:
    check_size(plane.shape, shape, plane.path)
    return plane.meaning()
