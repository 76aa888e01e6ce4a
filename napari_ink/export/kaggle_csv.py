"""Masks as Kaggle's csv: runs of pixels along the rows, counted from 1."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError
from napari_ink.export.names import parse_label_name
from napari_ink.export.planes import INK_MASK, LabelPlane, UInt8Array, plane_of

_HEADER = "Id,Predicted"
Integers = npt.NDArray[np.int64]


def runs_of(bands: Iterable[UInt8Array]) -> tuple[Integers, Integers]:
    """Return where runs of nonzero pixels begin, counted from 0 along the rows of all bands, and how long they are."""
    begins, ends, offset = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for band in bands:
        change = np.diff(np.pad(band.ravel() != 0, 1).view(np.int8))
        begins.append(np.flatnonzero(change == 1) + offset)
        ends.append(np.flatnonzero(change == -1) + offset)
        offset += band.size
    begin, end = np.concatenate(begins), np.concatenate(ends)
    # A run that goes on in the next band was cut in two there.
    apart = begin[1:] != end[:-1]
    begin, end = begin[np.append(True, apart)[: len(begin)]], end[np.append(apart, True)[: len(end)]]
    return begin, end - begin


def write_kaggle_csv(plane: LabelPlane, path: Path) -> None:
    """Write a mask as Kaggle's submission: ``Id,Predicted`` and one row of ``start length`` pairs.

    The id is the segment's name where the file's name says it, otherwise the file's name.
    """
    begin, length = runs_of(plane.bands())
    pairs = np.stack([begin + 1, length], axis=1).ravel()
    name = parse_label_name(path)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{_HEADER}\n{name.segment if name else path.stem},{' '.join(map(str, pairs.tolist()))}\n")


def read_kaggle_csv(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read the one mask of a csv; it does not say its size, so `shape` must.

    Raises
    ------
    LabelError
        If it is no such file, holds several masks, or its runs do not fit the size.
    """
    if shape is None:
        raise LabelError(f"{path} does not say how high and wide its mask is; give its size.")
    try:
        header, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, ValueError) as error:
        raise LabelError(f"{path} cannot be read as {_HEADER} ({error}).") from error
    rows = [row for row in rows if row.strip()]
    if header.strip() != _HEADER or len(rows) != 1:
        raise LabelError(f"{path} is not one row under {_HEADER}, but has {len(rows)}; leave one mask in it.")
    numbers = _whole_numbers(rows[0].rpartition(",")[2].strip().strip('"').split(), path)
    begin, length = numbers[::2] - 1, numbers[1::2]
    size = shape[0] * shape[1]
    if len(begin) != len(length) or (begin < 0).any() or (length < 1).any() or (begin + length > size).any():
        raise LabelError(f"{path} holds runs that do not fit {shape[0]} × {shape[1]} pixels; check the size.")
    flat = np.zeros(size, np.uint8)
    for first, number in zip(begin.tolist(), length.tolist(), strict=True):
        flat[first : first + number] = 255
    return plane_of(flat.reshape(shape), INK_MASK)


def _whole_numbers(words: list[str], path: Path) -> Integers:
    try:
        return np.array([int(word) for word in words], np.int64)
    except (ValueError, OverflowError) as error:
        raise LabelError(f"{path} holds something that is no whole number ({error}).") from error
