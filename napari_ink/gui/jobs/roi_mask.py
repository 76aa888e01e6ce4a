"""What is drawn as region of interest as a mask, kept beside the prediction that it is for."""

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
    """Return where the mask of a prediction's region of interest lies."""
    return out.with_name(f"{out.stem}-region.tif")


def roi_mask(
    polygons: Sequence[Polygon], region: Region, papyrus: SegmentMask | None, shape: tuple[int, int], path: Path
) -> SegmentMask:
    """Return where regions of interest lie on papyrus, and keep that in a file, for the prediction to name.

    Parameters
    ----------
    polygons
        The outlines, ``(corner, 2)`` each.
    region
        The box around them.
    papyrus
        Where there is papyrus; None for everywhere.
    shape
        Height and width of the segment.
    path
        The file.

    Raises
    ------
    BadInputError
        If no pixel is in them, or none of papyrus, or the file cannot be written.
    """
    from napari_ink.export import LabelPlane, write_plane

    mask = SegmentMask(shape, _bands(polygons, region, shape))
    if not mask.any(*region.slices):
        raise BadInputError("What is drawn as region of interest holds the middle of no pixel; draw it larger.")
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
    """Refuse a region without papyrus.

    Raises
    ------
    BadInputError
        If it has none.
    """
    if not mask.any(*region.slices):
        raise BadInputError(
            "There is no papyrus in what is to be predicted; choose another area, or take the tick off "
            "'Only where there is papyrus'."
        )
