"""Label planes: what an export writes and an import returns, read a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import EdgeValue, LabelValue
from napari_ink.mask_meaning import EDGE_LABELS as EDGE_LABELS
from napari_ink.mask_meaning import INK_LABELS as INK_LABELS
from napari_ink.typing import Mask, UInt8Array

Span = tuple[int, int]
WHITE = 255
INK_MASK: Mapping[int, str] = {WHITE: "ink"}
EDGE_MASK: Mapping[int, str] = {WHITE: "edge"}
SUPERVISION_MASK: Mapping[int, str] = {WHITE: "supervision"}


@dataclass(frozen=True)
class LabelPlane:
    """A mask of 0 and 255, or label values of 0, 1 and 2, of a segment's full size.

    Attributes
    ----------
    shape
        Height and width in pixels.
    read
        Function that takes rows ``(y0, y1)`` and columns ``(x0, x1)``, half open, and returns uint8 values ``(y, x)``.
    names
        Meaning of each value except 0; a mask has the single value 255.
    voxel_size_um
        Side of a pixel in micrometres; None if unknown.
    notes
        Sentences on what was guessed or left out when the file was read.
    """

    shape: tuple[int, int]
    read: Callable[[Span, Span], UInt8Array] = field(repr=False)
    names: Mapping[int, str]
    voxel_size_um: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_mask(self) -> bool:
        """Whether the plane is a mask, white on black."""
        return set(self.names) == {WHITE}

    def whole(self) -> UInt8Array:
        """Read the whole plane."""
        return self.read((0, self.shape[0]), (0, self.shape[1]))

    def bands(self, height: int = 1024) -> Iterator[UInt8Array]:
        """Yield bands of a number of rows, from the top, so that memory does not grow with the height."""
        for top in range(0, self.shape[0], height):
            yield self.read((top, min(top + height, self.shape[0])), (0, self.shape[1]))


def plane_of(values: npt.NDArray[np.uint8], names: Mapping[int, str], voxel_size_um: float | None = None) -> LabelPlane:
    """Return the plane of an array ``(y, x)``, or of anything that is sliced like one (a memory map, a Zarr array)."""

    def read(y: Span, x: Span) -> UInt8Array:
        return np.ascontiguousarray(values[slice(*y), slice(*x)])

    return LabelPlane((values.shape[0], values.shape[1]), read, names, voxel_size_um)


def mask_plane(
    mask: npt.NDArray[np.bool_], names: Mapping[int, str] = INK_MASK, voxel_size_um: float | None = None
) -> LabelPlane:
    """Return the plane of a bool array ``(y, x)``: white where it is true."""
    return mapped(plane_of(np.asarray(mask).view(np.uint8), {1: ""}, voxel_size_um), lambda part: part != 0, names)


def mapped(
    plane: LabelPlane, choose: Callable[[UInt8Array], npt.NDArray[np.bool_]], names: Mapping[int, str]
) -> LabelPlane:
    """Return a mask of another plane, white where `choose` is true of its values; computed when it is read."""

    def read(y: Span, x: Span) -> UInt8Array:
        return choose(plane.read(y, x)).astype(np.uint8) * np.uint8(WHITE)

    return replace(plane, read=read, names=names)


def cropped(plane: LabelPlane, shape: tuple[int, int]) -> LabelPlane:
    """Return the top left part of a plane."""
    return replace(plane, shape=shape)


def ink_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return a mask of the ink in ink labels ``(y, x)``."""
    return np.asarray(labels == LabelValue.INK)


def edge_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return a mask of the edges in edge labels ``(y, x)``."""
    return np.asarray(labels == EdgeValue.EDGE)


def supervision_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return a mask of the reviewed pixels: those that are not ink are papyrus; nothing is known about the others."""
    return np.asarray(labels != LabelValue.UNREVIEWED)
