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
        choices=("ink", "edges", "labels", "supervision", "map"),
        default="ink",
        help="what to export; map: probabilities of ink, as a TIFF that records how they were made (to a folder: under "
        "a name of its own); default: %(default)s",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--calibration", type=Path, metavar="calibration.json", help="threshold for masks, from `napari-ink calibrate`"
    )
    where.add_argument(
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
    if arguments.what == "map":
        for name in ("threshold", "calibration", "size"):
            if getattr(arguments, name) is not None:
                raise BadInputError(f"--{name} does not apply to a map of probabilities; leave it out.")
        print(_map(arguments.source, out))
        return
    threshold = arguments.threshold
    if arguments.calibration is not None:
        from napari_ink.calibration_file import read_calibration

        found = read_calibration(arguments.calibration)
        threshold = found.threshold / 255
        print(found.in_words, file=sys.stderr)
    # Before the source is read, which may take long.
    check_output(out)
    plane = source_plane(arguments.source, arguments.what, threshold, size)
    for note in (*plane.notes, *notes_on_writing(plane, out)):
        print(note, file=sys.stderr)
    print(write_plane(plane, out))


def _map(source: Path, out: Path) -> Path:
    from napari_ink.export.map_tiff import write_map
    from napari_ink.predict import open_prediction

    return write_map(open_prediction(source), out)
