"""`napari-ink phantom`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_ink.errors import BadInputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("out", type=Path, metavar="OUT", help="the segment folder to make")
    parser.add_argument("--seed", type=int, required=True, metavar="N", help="the same seed makes the same voxels")
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("H", "W"), help="pixels")
    parser.add_argument("--layers", type=int, default=65, metavar="N", help="depth layers, default: %(default)s")


def run(arguments: argparse.Namespace) -> None:
    """Make a simulated segment with known ink."""
    from pydantic import ValidationError

    from napari_ink.phantom import PhantomConfig, make_phantom, write_segment

    height, width = arguments.size
    try:
        config = PhantomConfig(seed=arguments.seed, height=height, width=width, depth_layers=arguments.layers)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadInputError(f"A phantom's {wrong['loc'][0]} cannot be {wrong['input']}: {wrong['msg']}.") from error
    print(write_segment(make_phantom(config), arguments.out))
