"""Masks of whole segments: read a strip at a time, and kept in little memory however large they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError
from napari_ink.mask_meaning import Meaning
from napari_ink.stack.plane import STRIP_PX, StoredPlane, check_size, opened_plane
from napari_ink.typing import Mask

_SQUARE = STRIP_PX


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
    note
        A sentence about what was guessed of the file that it was read from.

    Attributes
    ----------
    shape
        Height and width of the segment.
    note
        As given.
    """

    def __init__(self, shape: tuple[int, int], strips: Iterable[Mask], note: str = "") -> None:
        self.shape, self.note = shape, note
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
class InkFile:
    """Ink as a file says it, of a stack's height and width.

    Attributes
    ----------
    values
        Label values 0 unreviewed, 1 papyrus, 2 ink ``(y, x)``; of a mask 0 and 1, where 1 is ink.
    are_labels
        Whether they are label values.
    note
        A sentence about what was guessed of the values; empty where nothing was.
    """

    values: npt.NDArray[np.uint8]
    are_labels: bool
    note: str


def read_segment_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> SegmentMask:
    """Read a mask or a label image of a stack of height and width `shape`, a strip at a time.

    A larger image is cropped at the bottom and right. What its values mean is decided in `mask_meaning`.

    Of a grey TIFF, a NumPy file or a Zarr a few rows are in memory at a time; any other image is whole there, for as
    long as it is being read.

    Raises
    ------
    LabelError
        If it cannot be read, is smaller than the stack, or its values are no mask.
    """
    with opened_plane(path) as plane:
        meaning = _meaning_for(plane, shape)
        if meaning.are_labels:
            raise LabelError(f"{plane.path} holds label values of 0 to 2, not a mask; export its ink as a mask first.")
        strips = (meaning.is_white(strip[:, : shape[1]]) for strip in plane.strips(shape[0]))
        return SegmentMask(shape, strips, meaning.note)


def read_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> Mask:
    """Read a mask as `read_segment_mask` does, as one bool array ``(y, x)``.

    Raises
    ------
    LabelError
        As there.
    """
    return read_segment_mask(path, shape)[:, :]


def read_ink(path: str | os.PathLike[str], shape: tuple[int, int]) -> InkFile:
    """Read a mask of ink, or label values, of a stack of height and width `shape`; see `read_segment_mask`.

    Raises
    ------
    LabelError
        If it cannot be read, is smaller than the stack, or its values are neither.
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
