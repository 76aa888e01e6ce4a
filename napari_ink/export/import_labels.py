"""Import of labels and masks from files of any format: padding is cropped, soft masks are cut at half."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_ink.annotation import EdgeValue, LabelValue
from napari_ink.decoding import exists
from napari_ink.errors import LabelError
from napari_ink.export.formats import SUFFIXES, format_of
from napari_ink.export.names import beside
from napari_ink.export.planes import EDGE_LABELS, EDGE_MASK, INK_LABELS, INK_MASK, LabelPlane, Span, cropped, mapped
from napari_ink.mask_meaning import HALF
from napari_ink.typing import UInt8Array


def read_labels(
    path: str | os.PathLike[str], shape: tuple[int, int] | None = None, threshold: float | None = None
) -> LabelPlane:
    """Open a label file of any format: label values, or a hard or soft mask of levels 0 to 255.

    For images, NumPy files and Zarrs, `mask_meaning.meaning_of` decides which of them the values are.

    Parameters
    ----------
    path
        The file, or the folder of a Zarr.
    shape
        The segment's height and width. A larger plane is cropped at the bottom and right; nothing is resized. A CSV,
        and GeoJSON of other programs, do not contain their size and need it.
    threshold
        Threshold, 0 to 1, at which the caller will cut a soft mask. With one, masks that nowhere reach half are read
        too; None if the user gave none.

    Returns
    -------
    LabelPlane
        The labels, read when they are needed where the format allows it.

    Raises
    ------
    LabelError
        If the file does not exist or cannot be read, is smaller than `shape`, or is neither a mask nor label values.
    """
    path = Path(path).absolute()
    if not exists(path, LabelError):
        raise LabelError(f"There are no labels at {path}; check the path.")
    if (form := format_of(path)) is None:
        raise LabelError(f"{path} ends in {path.suffix or 'no suffix'}; labels end in one of {', '.join(SUFFIXES)}.")
    plane = form.read(path, shape, threshold) if form.is_raster else form.read(path, shape)
    if shape is None:
        return plane
    if plane.shape[0] < shape[0] or plane.shape[1] < shape[1]:
        raise LabelError(
            f"{path} is {plane.shape[0]} × {plane.shape[1]} pixels, smaller than the segment's "
            f"{shape[0]} × {shape[1]}; use labels of the same segment."
        )
    return cropped(plane, shape)


def import_mask(
    path: str | os.PathLike[str], shape: tuple[int, int], names: Mapping[int, str] = INK_MASK
) -> LabelPlane:
    """Read a mask as values 0 and 255; a soft mask is cut at half.

    Parameters
    ----------
    path
        The file, or the folder of a Zarr.
    shape
        The segment's height and width.
    names
        The meaning of the value 255.

    Raises
    ------
    LabelError
        As in `read_labels`, and if the file contains label values, since it is unclear which of them the mask is.
    """
    plane = read_labels(path, shape)
    if not plane.is_mask:
        raise LabelError(f"{path} contains label values of 0 to 2, not a mask; export one of them as a mask first.")
    return cut(plane, HALF, names)


def import_ink_labels(
    ink: str | os.PathLike[str], shape: tuple[int, int], supervision: str | os.PathLike[str] | None = None
) -> LabelPlane:
    """Read ink labels as values 0 (unreviewed), 1 (papyrus) and 2 (ink).

    Parameters
    ----------
    ink
        A mask of ink, or label values, which are returned unchanged.
    shape
        The segment's height and width.
    supervision
        A mask of the reviewed pixels: those without ink become papyrus, all others stay unreviewed. If None, the
        supervision mask of the same segment and version beside `ink` is used; without one, no pixel becomes papyrus.

    Raises
    ------
    LabelError
        As in `read_labels`.
    """
    plane = read_labels(ink, shape)
    if not plane.is_mask:
        return plane
    is_ink = cut(plane, HALF, INK_MASK)
    found = Path(supervision) if supervision is not None else beside(Path(ink).absolute(), "supervision_mask")
    looked = None if found is None else import_mask(found, shape)
    notes = plane.notes + (() if looked is None else looked.notes)

    def read(y: Span, x: Span) -> UInt8Array:
        # Ink last, because it counts even outside of the supervision mask.
        values = np.zeros((y[1] - y[0], x[1] - x[0]), np.uint8)
        if looked is not None:
            values[looked.read(y, x) > 0] = LabelValue.PAPYRUS
        values[is_ink.read(y, x) > 0] = LabelValue.INK
        return values

    return replace(plane, read=read, names=INK_LABELS, notes=notes)


def import_edge_labels(path: str | os.PathLike[str], shape: tuple[int, int]) -> LabelPlane:
    """Read edge labels as values 0 (unreviewed), 1 (edge) and 2 (not an edge); black in a mask becomes unreviewed.

    Raises
    ------
    LabelError
        As in `read_labels`.
    """
    plane = read_labels(path, shape)
    if not plane.is_mask:
        return replace(plane, names=EDGE_LABELS)
    edges = cut(plane, HALF, EDGE_MASK)

    def read(y: Span, x: Span) -> UInt8Array:
        return np.where(edges.read(y, x) > 0, EdgeValue.EDGE, EdgeValue.UNREVIEWED).astype(np.uint8)

    return replace(plane, read=read, names=EDGE_LABELS)


def cut(plane: LabelPlane, threshold: float, names: Mapping[int, str]) -> LabelPlane:
    """Return a mask of where a plane's levels of 0 to 255 reach a threshold of 0 to 1."""
    # A table of the 256 levels, so that no pixel has to become a float.
    reaches = np.arange(256) / 255 >= threshold
    return mapped(plane, lambda part: np.asarray(reaches[part]), names)
