"""The command `napari-ink store`: the ink map of another program as a prediction store."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_ink.cli.common import STACK_SOURCES, print_stack_notes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("map", type=Path, metavar="MAP", help="image of ink probabilities, 8 bits, in the stack's size")
    parser.add_argument("--stack", required=True, metavar="STACK", help=f"stack that it is of: {STACK_SOURCES}")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.zarr", help="prediction store to write")


def run(arguments: argparse.Namespace) -> None:
    """Store the ink map of another program as a prediction, with what its file says about its making."""
    from napari_ink.export.map_tiff import read_map_record
    from napari_ink.predict.storage.foreign_map import store_map
    from napari_ink.stack import open_stack

    stack = open_stack(arguments.stack)
    print_stack_notes(stack)
    record = read_map_record(arguments.map)
    if record is None:
        print(f"{arguments.map} does not say how it was made; its direction and layers are unknown.", file=sys.stderr)
    print(store_map(arguments.map, stack, arguments.out, record))
