"""The command `napari-ink phantom`: simulate a segment with known ink."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_ink.errors import BadInputError


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
    from pydantic import ValidationError

    from napari_ink.phantom import PhantomConfig, make_phantom, write_segment

    height, width = arguments.size
    parameters = dict(_parameter(text) for text in arguments.parameters)
    have_options = {"seed", "height", "width", "depth_layers"} & parameters.keys()
    if have_options:
        raise BadInputError(f"--set cannot change {min(have_options)}; use --seed, --size and --layers.")
    size = {"seed": arguments.seed, "height": height, "width": width, "depth_layers": arguments.layers}
    try:
        # Checked before anything is drawn from the seed, which a negative one would break.
        config = PhantomConfig.model_validate(size)
        if arguments.hard:
            config = PhantomConfig.hard(arguments.seed, height, width, arguments.layers)
        config = PhantomConfig.model_validate(config.model_dump() | parameters)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadInputError(_complaint(str(wrong["loc"][0]), wrong["input"], wrong["type"], wrong["msg"])) from error
    print(write_segment(make_phantom(config), arguments.out))


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInputError(f"--set takes NAME=VALUE, but {text!r} has no value; write --set noise=3, for example.")
    return name, value


def _complaint(name: str, value: object, kind: str, reason: str) -> str:
    if kind == "extra_forbidden":
        return f"A phantom has no parameter called {name}; docs/phantoms.md lists them all."
    return f"A phantom's {name} cannot be {value}: {reason}."
