"""`napari-ink export`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a prediction store, or an image of label values")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=".png or .tif")
    parser.add_argument(
        "--what", choices=("ink", "edges", "labels", "supervision"), default="ink", help="default: %(default)s"
    )
    parser.add_argument("--threshold", type=float, metavar="T", help="0 to 1, default: what the model recommends")


def run(arguments: argparse.Namespace) -> None:
    """Write a mask of ink or edges, or labels, as an image of the stack's height and width."""
    from napari_ink.export import export_source

    print(export_source(arguments.source, arguments.out, arguments.what, arguments.threshold))
