"""`napari-ink convert`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_ink.cli.common import stack_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    stack_argument(parser)
    parser.add_argument("out", type=Path, metavar="OUT.zarr", help="the OME-Zarr to write; a stopped one goes on")
    parser.set_defaults(if_interrupted="Interrupted; what was done is kept: the same command goes on.")


def run(arguments: argparse.Namespace) -> None:
    """Convert a stack to an OME-Zarr pyramid, which is quick to move through and to predict on."""
    from tqdm import tqdm

    from napari_ink.stack import convert, open_stack

    stack = open_stack(arguments.stack)
    with tqdm(unit="B", unit_scale=True, desc="Converting", disable=None) as bar:
        for event in convert(stack, arguments.out):
            bar.total = event.total_bytes
            bar.update(event.done_bytes - bar.n)
    if missing := stack.missing():
        print(f"Of {stack.name}, {missing}.")
    print(arguments.out)
