"""Mask of the regions of interest, stored beside the prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.gui.models.polygons import Polygon, inside
from napari_ink.stack import SegmentMask

if TYPE_CHECKING:
    from napari_ink.region import Region

_BAND_PX = 256


def roi_mask_path(out: Path) -> Path:
    """Return the path of the region mask of a prediction."""
    from napari_ink.predict import regions_path

    return regions_path(out)


def roi_mask(
    polygons: Sequence[Polygon], region: Region, papyrus: SegmentMask | None, shape: tuple[int, int], path: Path
) -> SegmentMask:
    """Return the mask of regions of interest on papyrus, and store it in a file that the prediction refers to.

    Parameters
    ----------
    polygons
        Outlines, ``(corner, 2)`` each.
    region
        Bounding box of the outlines.
    papyrus
        Papyrus mask; None for papyrus everywhere.
    shape
        Height and width of the segment.
    path
        File to write.

    Raises
    ------
    BadInputError
        If the outlines contain no pixel or no papyrus, or the file cannot be written.
    """
    from napari_ink.export import LabelPlane, write_plane

    mask = SegmentMask(shape, _bands(polygons, region, shape))
    if not mask.any(*region.slices):
        raise BadInputError("The region of interest contains the centre of no pixel; draw it larger.")
    if papyrus is not None:
        bands = (slice(top, top + _BAND_PX) for top in range(0, shape[0], _BAND_PX))
        mask = SegmentMask(shape, (mask[y, :] & papyrus[y, :] for y in bands), papyrus.note)
        check_papyrus(mask, region)

    def read(y: tuple[int, int], x: tuple[int, int]) -> npt.NDArray[np.uint8]:
        return mask[slice(*y), slice(*x)] * np.uint8(255)

    write_plane(LabelPlane(shape, read, {255: "region of interest"}), path, overwrite=True)
    return mask


def _bands(polygons: Sequence[Polygon], region: Region, shape: tuple[int, int]) -> Iterator[npt.NDArray[np.bool_]]:
    from napari_ink.region import Region

    for top in range(0, shape[0], _BAND_PX):
        band = np.zeros((min(_BAND_PX, shape[0] - top), shape[1]), bool)
        if region.y0 < top + len(band) and top < region.y1:
            part = Region(top, top + len(band), region.x0, region.x1)
            band[:, region.x0 : region.x1] = inside(polygons, part)
        yield band


def check_papyrus(mask: SegmentMask, region: Region) -> None:
    """Check that a region contains papyrus.

    Raises
    ------
    BadInputError
        If it contains none.
    """
    if not mask.any(*region.slices):
        raise BadInputError(
            "The area to predict contains no papyrus; choose another area, or untick 'Only inside the papyrus mask'."
        )
