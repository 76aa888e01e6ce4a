"""`napari-ink predict`."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.cli.common import stack_argument

if TYPE_CHECKING:
    from napari_ink.model import Direction

_DIRECTIONS: dict[str | None, Direction | None] = {None: None, "as-stored": "as stored", "reversed": "reversed"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    stack_argument(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.zarr", help="prediction store to write")
    parser.add_argument("--model", metavar="M", help="a name that `napari-ink models` lists, or a model file")
    parser.add_argument("--region", metavar="Y0:Y1,X0:X1", help="predict only these rows and columns")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="image of where there is papyrus; skip the rest")
    parser.add_argument(
        "--direction", choices=("as-stored", "reversed"), help="which way the depth is read; default: the model's"
    )
    parser.add_argument(
        "--offset", type=int, metavar="N", help="layers from the stack's middle to the window's; default: the model's"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto")
    parser.add_argument("--resume", action="store_true", help="go on with a prediction that was interrupted")
    parser.set_defaults(if_interrupted="Interrupted; what was done is kept: the same command with --resume goes on.")


def run(arguments: argparse.Namespace) -> None:
    """Predict ink and edges over a stack, tile by tile, into an OME-Zarr store."""
    from tqdm import tqdm

    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import (
        PredictionEnded,
        PredictionNote,
        PredictionStarted,
        PredictRequest,
        Region,
        TilePredicted,
    )
    from napari_ink.predict import predict as predict_tiles
    from napari_ink.stack import open_stack, read_mask

    stack = open_stack(arguments.stack)
    request = PredictRequest(
        stack=stack,
        model=load_model(arguments.model or DEFAULT_MODEL).reading(
            direction=_DIRECTIONS[arguments.direction], surface_offset=arguments.offset
        ),
        out=arguments.out,
        region=Region.parse(arguments.region) if arguments.region else None,
        mask=read_mask(arguments.mask, stack.shape[1:]) if arguments.mask else None,
        device=arguments.device,
        resume=arguments.resume,
    )
    # `disable=None` keeps the bar off logs and pipes.
    with closing(predict_tiles(request)) as events, tqdm(unit="tile", disable=None) as bar:
        for event in events:
            match event:
                case PredictionStarted():
                    bar.reset(event.tiles)
                    bar.write("\n".join((*event.notes, f"Runs on {event.device_name}.")), file=sys.stderr)
                case PredictionNote():
                    bar.write(event.sentence, file=sys.stderr)
                case TilePredicted():
                    bar.update(event.done - bar.n)
                case PredictionEnded():
                    bar.close()
                    print(f"{event.path}: {event.tiles} tiles in {event.seconds:.0f} s")
