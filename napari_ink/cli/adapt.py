"""The command `napari-ink adapt`: train a model further on segments without labels."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import print_stack_notes
from napari_ink.cli.signals import interrupted_between_events

if TYPE_CHECKING:
    from napari_ink.training import AdaptEvent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "stacks", nargs="+", metavar="STACK", help="segments without labels; masks beside them are used"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="folder for the models")
    parser.add_argument(
        "--resume", action="store_true", help="continue an adaptation that was interrupted, or add rounds"
    )
    parser.add_argument(
        "--from", dest="start", metavar="MODEL", help="model to start from, by name or file; default: the shipped one"
    )
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="rounds of marking and training; default: 2")
    parser.add_argument("--steps", type=int, default=250, metavar="N", help="steps of a round; default: 250")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers; default: 0")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="device to train on; default: auto"
    )
    parser.set_defaults(if_interrupted="Interrupted; run the same command with --resume to continue.")


def run(arguments: argparse.Namespace) -> None:
    """Train a model further on what it is surest of in segments without labels."""
    from tqdm import tqdm

    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import choose_device
    from napari_ink.stack import open_stack
    from napari_ink.training import AdaptRequest, adapt

    device = choose_device(arguments.device).type
    stacks = [open_stack(source) for source in arguments.stacks]
    for stack in stacks:
        print_stack_notes(stack)
    request = AdaptRequest(
        stacks,
        load_model(arguments.start or DEFAULT_MODEL),
        arguments.out,
        arguments.rounds,
        arguments.steps,
        arguments.seed,
        device,
        arguments.resume,
    )
    with (
        interrupted_between_events() as check,
        closing(adapt(request)) as events,
        tqdm(unit="step", disable=None) as bar,
    ):
        for event in events:
            _show(event, bar)
            check()


def _show(event: AdaptEvent, bar: Any) -> None:
    from napari_ink.training import (
        AdaptationDoubted,
        ModelAdapted,
        PhantomMade,
        RoundBegun,
        StepEnded,
        TeachingNote,
        TrainingStarted,
        Validated,
    )

    match event:
        case TeachingNote() | AdaptationDoubted():
            bar.write(event.text, file=sys.stderr)
        case PhantomMade():
            if event.done == 1:
                bar.set_description("phantoms to train along")
                bar.reset(event.total)
            bar.update(1)
        case RoundBegun():
            bar.set_description("")
            bar.write(
                f"Round {event.number} of {event.rounds}: takes the surest {event.ink_px:,} pixels for ink and "
                f"{event.papyrus_px:,} for papyrus.",
                file=sys.stderr,
            )
        case TrainingStarted():
            bar.reset(event.steps)
            bar.update(event.first_step)
        case StepEnded():
            bar.update(event.step - bar.n)
            bar.set_postfix(ink=f"{event.ink_loss:.3f}", refresh=False)
        case Validated():
            bar.write(f"Step {event.step}: F0.5 on phantoms {event.scores.ink_f0_5:.3f}.", file=sys.stderr)
        case ModelAdapted():
            bar.close()
            print(
                f"{event.path}: marks {event.ink_share:.1%} of the papyrus at its threshold, {event.threshold:.2f}, as "
                "the start model did. No label has judged it: compare both maps, and check it on strokes you know."
            )
