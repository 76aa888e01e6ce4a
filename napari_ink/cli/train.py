"""The command `napari-ink train`: train a network."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.signals import interrupted_between_events
from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    from napari_ink.training import TrainingEvent, TrainRequest

_SIZES = ("tiny", "base", "large")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--pair",
        nargs="+",
        action="append",
        required=True,
        type=Path,
        metavar=("STACK", "LABELS"),
        help="a stack and its ink labels; default for LABELS: those beside the stack; give it once for each pair",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="RUN", help="folder for the run")
    parser.add_argument("--resume", action="store_true", help="continue a run that was interrupted")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--from", dest="start", metavar="CHECKPOINT", help="model to train further, by name or file")
    weights.add_argument("--size", choices=_SIZES, help="size of a new network; default: tiny")
    for name in ("steps", "batch_size", "crop_size", "learning_rate", "seed", "workers", "lanes"):
        kind = float if name == "learning_rate" else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=_HELP[name])
    parser.add_argument("--validate-every", type=int, metavar="N", help=_HELP["validate_every"])
    parser.add_argument("--edge-tolerance-px", type=int, metavar="N", help=_HELP["edge_tolerance_px"])
    parser.add_argument("--patience", type=int, metavar="N", help=_HELP["patience"])
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16", "fp16"), help="number format of the computation; default: auto"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="device to train on; default: auto"
    )
    parser.add_argument(
        "--either-direction",
        action="store_true",
        help="read half of the crops in reverse; such a network reads both directions, so it cannot tell them apart",
    )
    parser.set_defaults(if_interrupted="Interrupted; the run is saved. Run the same command with --resume to continue.")


_HELP = {
    "steps": "optimiser steps; default: 2000",
    "batch_size": "crops per step; default: 8",
    "crop_size": "height and width of a crop in pixels; default: 160",
    "learning_rate": "peak learning rate; default: 0.0015, with --from 0.0005",
    "seed": "seed of the random numbers; the same seed gives the same weights on one machine; default: 0",
    "workers": "processes that read crops in advance; default: the number of spare cores, at most 8",
    "lanes": "parts of a batch that a CPU computes side by side; default: one for each core, at most 4",
    "validate_every": "steps between two validations on the held-out part; default: a twentieth of --steps",
    "edge_tolerance_px": "expected error of the labels' outlines, in pixels; default: 3",
    "patience": "stop after this number of validations without a better score, 0 for never; default: 10",
}


def run(arguments: argparse.Namespace) -> None:
    """Train a network on stacks and their labels, or continue from a trained one."""
    from tqdm import tqdm

    from napari_ink.training import train as train_steps

    request, notes = _request(arguments)
    speaks = os.environ.get("RANK", "0") == "0"  # only the first of torchrun's processes reports
    with (
        interrupted_between_events() as check,
        closing(train_steps(request)) as events,
        tqdm(unit="step", disable=None if speaks else True, total=request.settings.steps) as bar,
    ):
        for event in events:
            if speaks:
                _show(event, bar, notes)
            check()


def _show(event: TrainingEvent, bar: Any, notes: tuple[str, ...]) -> None:
    from napari_ink.training import BatchSkipped, StepEnded, TrainingEnded, TrainingStarted, Validated

    match event:
        case TrainingStarted():
            bar.reset(event.steps)
            bar.update(event.first_step)  # a resumed run begins there
            device = "the CPU" if event.device == "cpu" else event.device  # as `predict` calls it
            bar.write("\n".join((*notes, *event.notes, f"Runs on {device} in {event.precision}.")), file=sys.stderr)
        case StepEnded():
            bar.update(event.step - bar.n)
            bar.set_postfix(ink=f"{event.ink_loss:.3f}", edge=f"{event.edge_loss:.3f}", refresh=False)
        case BatchSkipped():
            bar.update(event.step - bar.n)
            bar.write(f"Step {event.step} was skipped: {event.report}", file=sys.stderr)
        case Validated():
            scores = f"ink F0.5 {event.scores.ink_f0_5:.3f}, edge ODS {event.scores.edge_ods:.3f}"
            bar.write(f"Step {event.step}: {scores}{', the best so far' if event.is_best else ''}.", file=sys.stderr)
        case TrainingEnded():
            bar.close()
            best = event.best
            print(
                f"{event.path}: step {event.best_step} of {event.step} ({event.why}), ink F0.5 {best.ink_f0_5:.3f}, "
                f"edge ODS {best.edge_ods:.3f}, {event.seconds:.0f} s"
            )


def _request(arguments: argparse.Namespace) -> tuple[TrainRequest, tuple[str, ...]]:
    """Return the request, with the pairs opened and the model loaded, and notes about the pairs."""
    from napari_ink.model import InkEdgeConfig, load_model
    from napari_ink.predict import choose_device
    from napari_ink.training import TrainRequest, read_pair

    for pair in arguments.pair:
        if len(pair) > 2:
            raise BadInputError(
                f"--pair takes a stack and its labels, not {len(pair)} names; give it once for each pair."
            )
    sizes = {"tiny": InkEdgeConfig.tiny, "base": InkEdgeConfig.base, "large": InkEdgeConfig.large}
    # Before the pairs are read, which may take minutes, so that a missing device is reported at once.
    device = choose_device(arguments.device)
    read = [read_pair(*pair) for pair in arguments.pair]
    request = TrainRequest(
        pairs=[one.pair for one in read],
        out=arguments.out,
        settings=_settings(arguments),
        config=sizes[arguments.size]() if arguments.size else None,
        start=load_model(arguments.start) if arguments.start else None,
        device=device.type,
        resume=arguments.resume,
    )
    return request, tuple(note for one in read for note in one.notes)


def _settings(arguments: argparse.Namespace) -> Any:
    from pydantic import ValidationError

    from napari_ink.training import DepthVariation, TrainSettings, spare_workers

    names = [name for name in _HELP if name not in ("workers", "learning_rate")] + ["precision"]
    asked = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    asked["workers"] = spare_workers() if arguments.workers is None else arguments.workers
    # A third of the rate for a trained network, since a higher one would destroy what it has learned.
    asked["learning_rate"] = arguments.learning_rate or (5e-4 if arguments.start else 1.5e-3)
    asked.setdefault("validate_every", max(1, asked.get("steps", 2000) // 20))
    if arguments.either_direction:
        asked["depth"] = DepthVariation(reversed_share=0.5)
    try:
        return TrainSettings.model_validate(asked)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = "--" + str(wrong["loc"][0]).replace("_", "-")
        raise BadInputError(f"{option} cannot be {wrong['input']}: {wrong['msg'].lower()}.") from error
