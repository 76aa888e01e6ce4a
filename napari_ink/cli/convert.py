"""The command `napari-ink convert`: write a stack as an OME-Zarr."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_ink.cli.common import stack_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    stack_argument(parser)
    parser.add_argument(
        "out", type=Path, metavar="OUT.zarr", help="OME-Zarr to write; an interrupted conversion is continued"
    )
    parser.set_defaults(
        if_interrupted="Interrupted; the finished part is saved. Run the same command again to continue."
    )


def run(arguments: argparse.Namespace) -> None:
    """Convert a stack to an OME-Zarr pyramid, which is faster to view and to predict."""
    from tqdm import tqdm

    from napari_ink.stack import convert, open_stack

    stack = open_stack(arguments.stack)
    for note in stack.notes:
        print(note, file=sys.stderr)
    with tqdm(unit="B", unit_scale=True, desc="Converting", disable=None) as bar:
        for event in convert(stack, arguments.out):
            # tqdm counts in steps, events in totals.
            bar.total = event.total_bytes
            bar.update(event.done_bytes - bar.n)
    if missing := stack.missing():
        print(f"Missing data in {stack.name}: {missing}.")
    print(arguments.out)
