"""`napari-ink export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_FORMATS = (
    "its suffix gives the format: .png, .tif, .npy, .zarr (OME-Zarr; named SEGMENT_inklabels.zarr, villa's), "
    ".csv (Kaggle's runs), .geojson, .svg, .json (COCO)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a prediction store, a project, or labels or a mask of any format"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=_FORMATS)
    parser.add_argument(
        "--what", choices=("ink", "edges", "labels", "supervision"), default="ink", help="default: %(default)s"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="0 to 1, default: what the model recommends; 0.5 for masks"
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="the segment's, for labels that do not say it (.csv) or are padded: they are cropped to it",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write a mask of ink or edges, or labels, of the segment's height and width, in the field's formats."""
    from napari_ink.errors import BadInputError
    from napari_ink.export import check_output, notes_on_writing, source_plane, write_plane

    size = tuple(arguments.size) if arguments.size else None
    if size is not None and min(size) < 1:
        raise BadInputError(f"--size {size[0]} {size[1]} is no height and width; give two numbers above 0.")
    out = arguments.out.absolute()
    check_output(out)
    plane = source_plane(arguments.source, arguments.what, arguments.threshold, size)
    for note in (*plane.notes, *notes_on_writing(plane, out)):
        print(note, file=sys.stderr)
    print(write_plane(plane, out))
