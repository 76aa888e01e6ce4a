"""The command `napari-ink teach`: a model of one's own from the corrections of a project."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.signals import interrupted_between_events

if TYPE_CHECKING:
    from napari_ink.training import TaughtModels, TeachingEvent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("projects", nargs="+", type=Path, metavar="PROJECT", help="projects; the first keeps the model")
    parser.add_argument(
        "--minutes",
        type=float,
        default=3.0,
        metavar="M",
        help="time for the deep model; 0 makes only the quick one, which takes seconds; default: 3",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="model to start from, by name or file; default: the shipped one",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers; default: 0")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="device to train on; default: auto"
    )
    parser.add_argument("--list", action="store_true", help="list the taught models instead of teaching")
    parser.add_argument("--use", metavar="KEY", help="put a taught model in use; “start” goes back to the first one")
    parser.add_argument("--check", metavar="KEY", help="run the checks on a taught model: moved labels, reversed depth")
    parser.add_argument("--json", action="store_true", help="print the models as JSON")
    parser.set_defaults(if_interrupted="Interrupted; run the same command again to continue.")


def run(arguments: argparse.Namespace) -> None:
    """Teach a model, or list, choose or check the taught ones."""
    from napari_ink.annotation import is_project
    from napari_ink.errors import ProjectError
    from napari_ink.training import TaughtModels

    # Checked first: any other folder would be reported as a project without taught models.
    for folder in arguments.projects:
        if not is_project(folder):
            raise ProjectError(f"{folder} is no project; name a folder that ends in .ink and holds project.json.")
    models = TaughtModels.of_project(arguments.projects[0])
    if arguments.use:
        models.use("" if arguments.use == "start" else arguments.use)
    elif arguments.check:
        _check(arguments, models)
    elif not arguments.list:
        _teach(arguments, models)
    _print(models, arguments.json)


def _teach(arguments: argparse.Namespace, models: TaughtModels) -> None:
    from tqdm import tqdm

    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import choose_device, cores_for_torch
    from napari_ink.training import TeachRequest, teach

    rows = models.rows()
    # Each lesson begins with the first start model, since strokes of all days are learned again.
    start = arguments.start or (rows[-1].started_from if rows else DEFAULT_MODEL)
    if not arguments.start:
        print(f"Starts from {start}.", file=sys.stderr)
    request = TeachRequest(
        tuple(arguments.projects),
        load_model(start),
        arguments.minutes,
        arguments.seed,
        choose_device(arguments.device).type,
        cores_for_torch(),
    )
    with interrupted_between_events() as check, closing(teach(request)) as events, tqdm(unit="step") as bar:
        for event in events:
            _show(event, bar)
            check()


def _show(event: TeachingEvent, bar: Any) -> None:
    from napari_ink.training import FeaturesRead, ModelTaught, StepEnded, TeachingNote, TrainingStarted, Validated

    match event:
        case TeachingNote():
            # By way of the bar, which would otherwise be drawn into the sentence.
            bar.write(event.text, file=sys.stderr)
        case FeaturesRead():
            bar.reset(event.total)
            bar.update(event.done)
        case ModelTaught():
            bar.write(f"{event.row.in_words} {event.path}", file=sys.stderr)
        case TrainingStarted():
            bar.reset(event.steps)
            bar.update(event.first_step)
        case StepEnded():
            bar.update(event.step - bar.n)
            bar.set_postfix(ink=f"{event.ink_loss:.3f}", refresh=False)
        case Validated():
            best = ", the best so far" if event.is_best else ""
            bar.write(f"Step {event.step}: F0.5 on strokes {event.scores.ink_f0_5:.3f}{best}.", file=sys.stderr)


def _check(arguments: argparse.Namespace, models: TaughtModels) -> None:
    from napari_ink.training import check_taught

    for name, result in check_taught(tuple(arguments.projects), models.row(arguments.check), arguments.seed):
        models.record_check(arguments.check, name, result)
        print(f"{name}: {result}", file=sys.stderr)


def _print(models: TaughtModels, as_json: bool) -> None:
    rows, current = models.rows(), models.current
    if as_json:
        listed = [{**row.model_dump(mode="json"), "in_use": row.key == current} for row in rows]
        print(json.dumps(listed, indent=2))
        return
    if not rows:
        print("No model was taught in this project yet.")
    for row in rows:
        print(f"{'*' if row.key == current else ' '} {row.key:10} {row.made_at[:16]}  {row.in_words}")
        for name, result in row.checks.items():
            print(f"             {name}: {result}")
