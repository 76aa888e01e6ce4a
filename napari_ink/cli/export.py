"""The command `napari-ink export`: write masks and labels to files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_FORMATS = (
    "file to write; its suffix is the format: .png, .tif, .npy, .zarr (OME-Zarr, or villa's layout if it is named "
    "SEGMENT_inklabels.zarr), "
    ".csv (Kaggle's runs), .geojson, .svg, .json (COCO)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="prediction store, project, or labels or mask of any format"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=_FORMATS)
    parser.add_argument(
        "--what",
        choices=("ink", "edges", "labels", "supervision"),
        default="ink",
        help="what to export; default: %(default)s",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="threshold for masks, 0 to 1; default: what the model recommends, or 0.5",
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="the segment's size, for labels that do not contain it (.csv) or are padded and must be cropped",
    )


def run(arguments: argparse.Namespace) -> None:
    """Export a mask of ink or edges, or labels, in the segment's size and in the formats that the field uses."""
    from napari_ink.errors import BadInputError
    from napari_ink.export import check_output, notes_on_writing, source_plane, write_plane

    size = tuple(arguments.size) if arguments.size else None
    if size is not None and min(size) < 1:
        raise BadInputError(f"--size {size[0]} {size[1]} is not a valid size; give two numbers above 0.")
    out = arguments.out.absolute()
    # Before the source is read, which may take long.
    check_output(out)
    plane = source_plane(arguments.source, arguments.what, arguments.threshold, size)
    for note in (*plane.notes, *notes_on_writing(plane, out)):
        print(note, file=sys.stderr)
    print(write_plane(plane, out))
