"""Masks as Kaggle's CSV: runs of pixels along the rows, counted from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_ink.decoding import decode_text, read_document
from napari_ink.errors import LabelError
from napari_ink.export.canvas import Canvas
from napari_ink.export.names import parse_label_name
from napari_ink.export.planes import INK_MASK, WHITE, LabelPlane
from napari_ink.export.runs import Integers, runs_of

_HEADER = "Id,Predicted"
# Spreadsheets write semicolons where the comma is the decimal mark.
_SEPARATORS = (",", ";", "\t")
# Bytes of memory that words and numbers take for one byte of text.
_GROWS = 40


def write_kaggle_csv(plane: LabelPlane, path: Path) -> None:
    """Write a mask as a Kaggle submission: the header ``Id,Predicted`` and one row of ``start length`` pairs.

    The id is the segment's name if the file's name contains it (`parse_label_name`), otherwise the file's name.
    """
    begin, length = runs_of(plane.bands())
    pairs = np.stack([begin + 1, length], axis=1).ravel()
    name = parse_label_name(path)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{_HEADER}\n{name.segment if name else path.stem},{' '.join(map(str, pairs.tolist()))}\n")


def read_kaggle_csv(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read a CSV with one mask, with any line ends and separators that spreadsheets write.

    An empty mask is an empty field, or the run ``1 0`` that some programs write.

    Parameters
    ----------
    path
        The file to read.
    shape
        Height and width in pixels, which the file does not contain.

    Raises
    ------
    LabelError
        If the file has no such header, does not contain exactly one mask, its runs are damaged or exceed the size, or
        `shape` is None.
    """
    if shape is None:
        raise LabelError(
            f"{path} does not contain the height and width of its mask; give its size (--size HEIGHT WIDTH)."
        )
    text = decode_text(read_document(path, LabelError, _GROWS, "leave one mask in it"), LabelError, path)
    header, *rows = [line for line in text.splitlines() if line.strip()] or [""]
    separator = next((one for one in _SEPARATORS if _names(header, one) == _HEADER.casefold().split(",")), None)
    if separator is None:
        raise LabelError(f"{path} begins with {header[:40]!r} instead of {_HEADER}; write that as its first line.")
    masks = [row.rpartition(separator) for row in rows]
    if len(masks) != 1:
        listed = ", ".join(_unquoted(name) for name, _, _ in masks[:10])
        raise LabelError(f"{path} has {len(masks)} masks ({listed[:100]}), but only one can be read; keep one row.")
    canvas = Canvas(*shape, path)
    begin, length = _runs(_unquoted(masks[0][2]), canvas.shape, path)
    canvas.paint_runs(begin, length, WHITE)
    return canvas.plane(INK_MASK)


def _names(header: str, separator: str) -> list[str]:
    return [_unquoted(name).casefold() for name in header.split(separator)]


def _unquoted(field: str) -> str:
    return field.strip().strip('"').strip()


def _runs(text: str, shape: tuple[int, int], path: Path) -> tuple[Integers, Integers]:
    """Return the first pixels of the runs, counted from 0, and their lengths, checked against the plane's size."""
    words, size = text.split(), shape[0] * shape[1]
    if words == ["1", "0"]:
        words = []
    # At most 18 digits: such numbers fit into int64.
    wrong = next((word for word in words if not (word.isascii() and word.isdigit() and len(word) < 19)), None)
    if wrong is not None:
        raise LabelError(f"{path} contains {wrong[:20]!r}, not a whole number; write runs as start and length.")
    if len(words) % 2:
        raise LabelError(
            f"{path} contains {len(words)} numbers, but runs are pairs of start and length; copy it again."
        )
    numbers = np.array([int(word) for word in words], np.int64)
    begin, length = numbers[::2] - 1, numbers[1::2]
    if (begin < 0).any() or (length < 1).any():
        what = "begins at 0, but pixels are counted from 1" if (begin < 0).any() else "has the length 0"
        raise LabelError(f"{path} contains a run that {what}; write its runs again.")
    # Summed as Python integers, since a sum of damaged numbers could overflow int64.
    if len(numbers) and (last := max(map(sum, zip(begin.tolist(), length.tolist(), strict=True)))) > size:
        raise LabelError(
            f"{path} contains runs that do not fit {shape[0]} × {shape[1]} pixels: one ends at pixel {last} of {size}; "
            "check the size."
        )
    return begin, length
