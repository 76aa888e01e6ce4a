"""Arguments and output functions that several commands share."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack

STACK_SOURCES = (
    "folder of TIFF layers, multi-page TIFF, .npy, NRRD, HDF5 (FILE::DATASET) or Zarr store (also zipped), "
    "or the https:// or s3:// address of one"
)


def stack_argument(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the positional argument STACK, whose help may end with `more`."""
    parser.add_argument("stack", metavar="STACK", help=STACK_SOURCES + more)


def _grey(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no grey value")
    return value


def grey_range_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --grey-range."""
    parser.add_argument(
        "--grey-range",
        nargs=2,
        type=_grey,
        metavar=("LOW", "HIGH"),
        help="grey values, as the viewer shows them, to read as black and white; for stacks that fill little of their "
        "range, such as 0 4095 for 12 bits stored in 16",
    )


def grey_range(arguments: argparse.Namespace) -> tuple[float, float] | None:
    """Return the values of --grey-range, or None if it was not given."""
    return None if arguments.grey_range is None else (arguments.grey_range[0], arguments.grey_range[1])


def stated_region(text: str | None, stack: DepthStack) -> Region | None:
    """Return the region of the option --region within the segment, or None if it was not given; say if it is cut.

    Raises
    ------
    BadInputError
        If it is no region, or lies outside the segment.
    """
    from napari_ink.region import Region

    if text is None:
        return None
    asked = Region.parse(text)
    region = asked.clip(stack.shape[1:])
    if region != asked:
        print(f"The region {asked} reaches beyond the segment, so it is cut to {region}.", file=sys.stderr)
    return region


def print_stack_notes(stack: DepthStack) -> None:
    """Print notes on guesses that were made when a stack was opened, and on missing data, to standard error."""
    for note in stack.notes:
        print(note, file=sys.stderr)
    if missing := stack.missing():
        print(f"Missing data in {stack.name}: {missing}.", file=sys.stderr)


def json_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def print_json(values: object) -> None:
    """Print values as indented JSON."""
    print(json.dumps(values, indent=2))
