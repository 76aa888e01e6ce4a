"""What several commands share."""

from __future__ import annotations

import argparse
import json

STACK_SOURCES = (
    "folder of TIFF layers, multi-page TIFF, .npy, NRRD, HDF5 (FILE::DATASET) or Zarr store, "
    "or the https:// or s3:// address of one"
)


def stack_argument(parser: argparse.ArgumentParser) -> None:
    """Ask for the stack."""
    parser.add_argument("stack", metavar="STACK", help=STACK_SOURCES)


def json_argument(parser: argparse.ArgumentParser) -> None:
    """Offer JSON instead of text."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def print_json(values: object) -> None:
    """Print values as indented JSON."""
    print(json.dumps(values, indent=2))
