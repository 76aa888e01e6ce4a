"""The command `napari-ink phantom`: simulate a segment with known ink."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    from napari_ink.phantom import PhantomConfig, WorldPhantom


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("out", type=Path, metavar="OUT", help="segment folder to write")
    parser.add_argument(
        "--seed",
        type=int,
        required=True,
        metavar="N",
        help="seed of the random numbers; the same seed gives the same voxels",
    )
    parser.add_argument(
        "--size", type=int, nargs=2, required=True, metavar=("H", "W"), help="height and width in pixels"
    )
    parser.add_argument("--layers", type=int, default=65, metavar="N", help="depth layers, default: %(default)s")
    parser.add_argument("--hard", action="store_true", help="ink without contrast on a torn sheet, badly scanned")
    parser.add_argument("--blank", action="store_true", help="no ink; nothing else changes")
    parser.add_argument("--world", metavar="NAME", help="generator that makes it; docs/phantoms.md lists them all")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="parameters",
        metavar="NAME=VALUE",
        help="set one parameter, such as ink_contrast=0; docs/phantoms.md lists them all",
    )


def run(arguments: argparse.Namespace) -> None:
    """Simulate a segment with known ink."""
    from napari_ink.phantom import make_phantom, write_segment

    phantom = make_phantom(_config(arguments)) if arguments.world is None else _of_world(arguments)
    print(write_segment(phantom, arguments.out))


def _config(arguments: argparse.Namespace) -> PhantomConfig:
    from napari_ink.phantom import PhantomConfig

    parameters = dict(_parameter(text) for text in arguments.parameters)
    have_options = {"seed", "height", "width", "depth_layers"} & parameters.keys()
    if have_options:
        raise BadInputError(f"--set cannot change {min(have_options)}; use --seed, --size and --layers.")
    # Checked before anything is drawn from the seed, which a negative one would break.
    config = _checked(_size(arguments))
    if arguments.hard:
        config = PhantomConfig.hard(**_size(arguments))
    return _checked(config.model_dump() | {"blank": arguments.blank} | parameters)


def _of_world(arguments: argparse.Namespace) -> WorldPhantom:
    from napari_ink.phantom import WORLDS, make_world_phantom

    if arguments.world not in WORLDS:
        raise BadInputError(f"There is no world called {arguments.world}; the worlds are {', '.join(WORLDS)}.")
    if arguments.hard or arguments.parameters:
        raise BadInputError("A world draws everything from the seed; leave --hard and --set out, or --world.")
    config = _checked(_size(arguments))
    size = config.height, config.width, config.depth_layers
    return make_world_phantom(arguments.world, config.seed, *size, blank=arguments.blank)


def _size(arguments: argparse.Namespace) -> dict[str, int]:
    height, width = arguments.size
    return {"seed": arguments.seed, "height": height, "width": width, "depth_layers": arguments.layers}


def _checked(parameters: Mapping[str, object]) -> PhantomConfig:
    """Return a phantom's parameters, or refuse the first that is wrong."""
    from pydantic import ValidationError

    from napari_ink.phantom import PhantomConfig

    try:
        return PhantomConfig.model_validate(parameters)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadInputError(_complaint(str(wrong["loc"][0]), wrong["input"], wrong["type"], wrong["msg"])) from error


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInputError(f"--set takes NAME=VALUE, but {text!r} has no value; write --set noise=3, for example.")
    return name, value


def _complaint(name: str, value: object, kind: str, reason: str) -> str:
    if kind == "extra_forbidden":
        return f"A phantom has no parameter called {name}; docs/phantoms.md lists them all."
    return f"A phantom's {name} cannot be {value}: {reason}."
