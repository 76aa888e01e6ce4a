"""The file formats of planes, by the suffix of a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_ink.errors import OutputError
from napari_ink.export.coco import write_coco
from napari_ink.export.geojson import write_geojson
from napari_ink.export.images import read_image, read_npy, write_npy, write_png, write_tiff
from napari_ink.export.json_files import read_json
from napari_ink.export.kaggle_csv import read_kaggle_csv, write_kaggle_csv
from napari_ink.export.names import parse_label_name
from napari_ink.export.ome_zarr import read_zarr, write_ome_zarr
from napari_ink.export.planes import LabelPlane
from napari_ink.export.svg import read_svg, write_svg
from napari_ink.export.villa_zarr import write_villa_zarr

FormatName = Literal[
    "PNG", "TIFF", "NumPy", "OME-Zarr", "Training Zarr (villa)", "Kaggle CSV", "GeoJSON", "SVG", "COCO"
]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name
        Name for messages.
    suffixes
        Suffixes of its files, the usual one first.
    write
        Function that writes a plane to a path.
    read
        Function that reads the plane at a path. Its second argument is the segment's height and width, which only
        formats use whose files do not contain their size. Readers of rasters also take the threshold, 0 to 1, at which
        the caller will cut a soft mask; None if the user gave none. It raises a `LabelError` for a file that cannot be
        read, or whose values are neither labels nor a mask.
    masks_only
        Whether it can hold only one mask.
    is_folder
        Whether it is a folder of files.
    is_raster
        Whether it holds a value for each pixel.
    bytes_per_px
        Memory that writing takes for each pixel, in bytes; 0 if planes are written a part at a time.
    """

    name: FormatName
    suffixes: tuple[str, ...]
    write: Callable[[LabelPlane, Path], None]
    read: Callable[..., LabelPlane]
    masks_only: bool = False
    is_folder: bool = False
    is_raster: bool = False
    bytes_per_px: int = 0


# Bytes for each pixel: the plane, the mask of a value, and the arrays that scipy and numpy make from it.
_TRACED = 12
FORMATS = (
    Format("PNG", (".png",), write_png, read_image, is_raster=True),
    Format("TIFF", (".tif", ".tiff"), write_tiff, read_image, is_raster=True),
    Format("NumPy", (".npy",), write_npy, read_npy, is_raster=True),
    Format("OME-Zarr", (".zarr",), write_ome_zarr, read_zarr, is_folder=True, is_raster=True),
    Format(
        "Training Zarr (villa)",
        (".zarr",),
        write_villa_zarr,
        read_zarr,
        masks_only=True,
        is_folder=True,
        is_raster=True,
    ),
    Format("Kaggle CSV", (".csv",), write_kaggle_csv, read_kaggle_csv, masks_only=True),
    Format("GeoJSON", (".geojson",), write_geojson, read_json, bytes_per_px=_TRACED),
    Format("SVG", (".svg",), write_svg, read_svg, bytes_per_px=_TRACED),
    Format("COCO", (".json",), write_coco, read_json, bytes_per_px=_TRACED),
)
SUFFIXES = tuple(dict.fromkeys(suffix for format_ in FORMATS for suffix in format_.suffixes))


def format_of(path: Path) -> Format | None:
    """Return the format of a name, or None if there is none of that suffix.

    A Zarr named like a label file (`parse_label_name`), such as ``<segment>_inklabels.zarr``, is a training Zarr.
    """
    found = [format_ for format_ in FORMATS if path.suffix.lower() in format_.suffixes]
    if len(found) > 1:
        wanted: FormatName = "OME-Zarr" if parse_label_name(path) is None else "Training Zarr (villa)"
        return next(format_ for format_ in found if format_.name == wanted)
    return found[0] if found else None


def output_format(path: Path) -> Format:
    """Return the format to write a name in.

    Raises
    ------
    OutputError
        If there is none of that suffix.
    """
    if (found := format_of(path)) is None:
        *others, last = SUFFIXES
        raise OutputError(
            f"{path} ends in {path.suffix or 'no suffix'}; name a file that ends in {', '.join(others)} or {last}."
        )
    return found
