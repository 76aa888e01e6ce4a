"""Planes such as masks and labels in an image, NumPy file or Zarr, read by rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import check_memory, check_regular, decoder_errors
from napari_ink.errors import LabelError
from napari_ink.mask_meaning import Meaning, Samples, bits_of, meaning_of, values_of

STRIP_PX = 256
_SAVE_GREY = "save it as a grey PNG or TIFF"
_DRAWN_IN_OPACITY = "save what was drawn in white on opaque black"


@dataclass(frozen=True)
class StoredPlane:
    """A plane of integers in a file, read by rows; 0 is black, whatever the file's convention.

    Attributes
    ----------
    path
        File that holds the plane.
    shape
        Height and width.
    dtype
        Dtype of the values.
    samples
        What the file states about its values.
    read
        Function that reads a range of rows, all columns.
    at_once
        Number of rows to read at once for speed, a multiple of 256.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    samples: Samples
    read: Callable[[slice], npt.NDArray[Any]]
    at_once: int = STRIP_PX

    def strips(self, height: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """Yield the first `height` rows, or all, in strips of `at_once` rows."""
        height = self.shape[0] if height is None else height
        for top in range(0, height, self.at_once):
            yield self.read(slice(top, min(top + self.at_once, height)))

    def meaning(self, threshold: float | None = None) -> Meaning:
        """Return the meaning of the values; this reads the whole plane, also rows and columns beyond the stack's.

        Raises
        ------
        LabelError
            If the plane cannot be read, or its values have no meaning, as in `meaning_of`.
        """
        return meaning_of(values_of(self.strips()), self.samples, self.path, threshold)

    def whole(self) -> npt.NDArray[Any]:
        """Return the whole plane as an array ``(y, x)``.

        Raises
        ------
        LabelError
            If it cannot be read, or does not fit in memory.
        """
        check_memory(
            self.shape[0] * self.shape[1] * self.dtype.itemsize, LabelError, self.path, "use a machine with more of it"
        )
        out = np.empty(self.shape, self.dtype)
        top = 0
        for strip in self.strips():
            out[top : top + len(strip)] = strip
            top += len(strip)
        return out


def open_numpy(path: Path) -> npt.NDArray[Any]:
    """Open a NumPy file of labels or a mask as a memory map.

    Raises
    ------
    LabelError
        If the file cannot be read.
    """
    check_regular(path, LabelError)
    with decoder_errors(LabelError, path, "save it with numpy.save"):
        values: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        # NumPy accepts a negative length in a damaged header, as long as the file's size fits.
        if min(values.shape, default=0) < 0:
            raise ValueError(f"a shape of {values.shape}")
        return values


def numpy_plane(path: Path) -> StoredPlane:
    """Open a NumPy file as a plane.

    Raises
    ------
    LabelError
        If the file cannot be read, or is not a plane of integers.
    """
    values = as_plane(open_numpy(path))
    check_plane(values.shape, values.dtype, path)

    def read(y: slice) -> npt.NDArray[Any]:
        return np.asarray(values[y])

    return StoredPlane(path, values.shape, values.dtype, Samples(bits_of(values.dtype)), read)


def as_plane(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array without leading axes of length 1; others are left for `check_plane` to refuse."""
    if values.ndim > 2 and values.size == values.shape[-2] * values.shape[-1]:
        return values.reshape(values.shape[-2:])
    return values


def check_plane(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> None:
    """Refuse anything but a plane of integers.

    Raises
    ------
    LabelError
        If the shape is not that of a plane, or the dtype is neither bool nor integer.
    """
    # The size in a damaged TIFF may be a fraction.
    if len(shape) != 2 or dtype.kind not in "bui" or not all(isinstance(side, int | np.integer) for side in shape):
        raise LabelError(f"{path} has the shape {shape} and {dtype} values; save it as one grey plane of 8 or 16 bits.")


def grey_of_colours(colours: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Return the grey values ``(y, x)`` of a grey picture that is saved in colour.

    Parameters
    ----------
    colours
        Values ``(y, x, channels)``: one or three channels, and perhaps the opacity.
    path
        The picture, for the messages.

    Raises
    ------
    LabelError
        If it has colours, or transparent pixels make its meaning unclear: some are not black, or all pixels are black
        and only some are opaque.
    """
    channels = colours.shape[-1]
    # Two and four channels end with the opacity.
    shades = colours[..., : channels - (channels + 1) % 2]
    grey = shades[..., 0]
    if not all(np.array_equal(grey, shades[..., channel]) for channel in range(1, shades.shape[-1])):
        raise LabelError(f"{path} has colours, and a mask is black and white; {_SAVE_GREY}.")
    full = np.iinfo(colours.dtype).max if colours.dtype.kind in "ui" else 1
    opacity = colours[..., -1]
    if channels in (2, 4) and grey[opacity < full].any():
        raise LabelError(f"{path} has transparent pixels that are not black; flatten it onto black.")
    if channels in (2, 4) and not grey.any() and opacity.min() < opacity.max():
        raise LabelError(f"{path} is black all over, and transparent in places; {_DRAWN_IN_OPACITY}.")
    return grey


def crop_plane(plane: npt.NDArray[Any], shape: tuple[int, int], path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Return a plane cropped to `shape` at its bottom and right, where label images are padded.

    Raises
    ------
    LabelError
        If the plane is smaller than `shape`.
    """
    check_size(plane.shape, shape, path)
    return plane[: shape[0], : shape[1]]


def check_size(size: tuple[int, ...], shape: tuple[int, int], path: str | os.PathLike[str]) -> None:
    """Refuse a plane that is smaller than a stack's height and width `shape`.

    Raises
    ------
    LabelError
        If the plane has fewer rows or columns.
    """
    if size[0] < shape[0] or size[1] < shape[1]:
        raise LabelError(
            f"{path} is {size[0]} × {size[1]} pixels, smaller than the stack's {shape[0]} × {shape[1]}; "
            "use an image of the same segment."
        )
