"""The command line: one small function a command. Results go to standard output, progress to standard error.

Rooms are imported inside the functions that need them, so that help and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_ink import __version__
from napari_ink.errors import BadInputError, NapariInkError

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_ink.model import ModelCard

    Plane = npt.NDArray[Any]

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        code: int | None = arguments.run(arguments)
        sys.stdout.flush()
    except BadInputError as error:
        _say(str(error))
        return BAD_INPUT
    except NapariInkError as error:
        _say(str(error))
        return FAILED
    except MemoryError:
        _say("This takes more memory than there is here; choose a smaller size or region.")
        return FAILED
    except KeyboardInterrupt:
        _say(arguments.if_interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the results (`| head`) has enough; the interpreter must not stumble over it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code or DONE


def _say(sentence: str) -> None:
    print("napari-ink:", " ".join(sentence.split()), file=sys.stderr)


def _print_json(values: object) -> None:
    print(json.dumps(values, indent=2))


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        _say(f"{message}; `{self.prog} --help` shows how.")
        raise SystemExit(BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="napari-ink", description="Read ink in CT scans of carbonised papyri.")
    parser.add_argument("--version", action="version", version=f"napari-ink {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    for run, add_arguments in (
        (demo, _demo_arguments),
        (open_, _stack_argument),
        (info, _info_arguments),
        (predict, _predict_arguments),
        (export, _export_arguments),
        (evaluate, _evaluate_arguments),
        (phantom, _phantom_arguments),
        (models, _json_argument),
    ):
        says = (run.__doc__ or "").strip()
        command = commands.add_parser(run.__name__.rstrip("_"), help=says.rstrip("."), description=says)
        command.set_defaults(run=run, if_interrupted="Interrupted.")
        add_arguments(command)
    return parser


def _stack_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", type=Path, metavar="STACK", help="folder of TIFF layers, multi-page TIFF or .npy file")


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--headless",
        type=Path,
        metavar="DIR",
        help="close by itself, and save the window's picture, the masks and the scores in DIR",
    )


def demo(arguments: argparse.Namespace) -> int:
    """Open the sample in napari, predict it and overlay its ink and edges."""
    from napari_ink.gui.display import has_display, need_qt, run_again_on_virtual_display

    need_qt()
    if arguments.headless is not None and not has_display():
        run_again_on_virtual_display(["demo", "--headless", str(arguments.headless)])
    from napari_ink.gui.demo import run_demo

    return run_demo(arguments.headless)


def open_(arguments: argparse.Namespace) -> int:
    """Open a stack in napari, with the panel docked."""
    from napari_ink.gui.display import need_qt

    need_qt()
    from napari_ink.gui.window import open_window

    return open_window(arguments.stack)


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    _stack_argument(parser)
    _json_argument(parser)


def info(arguments: argparse.Namespace) -> None:
    """Say what a stack is: shape, dtype, voxel size, format, and the labels beside it."""
    from napari_ink.stack import find_beside, open_stack

    stack = open_stack(arguments.stack)
    beside = find_beside(stack)
    facts: dict[str, Any] = {
        "name": stack.name,
        "source": str(stack.source),
        "format": stack.format,
        "shape": list(stack.shape),
        "dtype": stack.dtype.name,
        "voxel_size_um": stack.voxel_size_um,
        "surface_layer": stack.surface_z,
        "mask": beside.mask and str(beside.mask),
        "ink_labels": beside.ink_labels and str(beside.ink_labels),
    }
    if arguments.json:
        _print_json(facts)
        return
    facts["shape"] = "{} depth layers of {} × {} pixels (height × width)".format(*stack.shape)
    for name, value in facts.items():
        print(f"{name.replace('_', ' ') + ':':15}{'unknown' if value is None else value}")


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _stack_argument(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.zarr", help="prediction store to write")
    parser.add_argument("--model", metavar="M", help="a name that `napari-ink models` lists, or a .safetensors file")
    parser.add_argument("--region", metavar="Y0:Y1,X0:X1", help="predict only these rows and columns")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="image of where there is papyrus; skip the rest")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto")
    parser.add_argument("--resume", action="store_true", help="go on with a prediction that was interrupted")
    parser.set_defaults(if_interrupted="Interrupted; what was done is kept: the same command with --resume goes on.")


def predict(arguments: argparse.Namespace) -> None:
    """Predict ink and edges over a stack, tile by tile, into an OME-Zarr store."""
    from tqdm import tqdm

    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import PredictionEnded, PredictionStarted, PredictRequest, Region, TilePredicted
    from napari_ink.predict import predict as predict_tiles
    from napari_ink.stack import open_stack, read_mask

    stack = open_stack(arguments.stack)
    request = PredictRequest(
        stack=stack,
        model=load_model(arguments.model or DEFAULT_MODEL),
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
                case TilePredicted():
                    bar.update(event.done - bar.n)
                case PredictionEnded():
                    bar.close()
                    print(f"{event.path}: {event.tiles} tiles in {event.seconds:.0f} s")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a prediction store, or an image of label values")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=".png or .tif")
    parser.add_argument(
        "--what", choices=("ink", "edges", "labels", "supervision"), default="ink", help="default: %(default)s"
    )
    parser.add_argument("--threshold", type=float, metavar="T", help="0 to 1, default: what the model recommends")


def export(arguments: argparse.Namespace) -> None:
    """Write a mask of ink or edges, or labels, as an image of the stack's height and width."""
    from napari_ink.export import export_source

    print(export_source(arguments.source, arguments.out, arguments.what, arguments.threshold))


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prediction", type=Path, metavar="PREDICTION", help="a prediction store, or an image of ink probabilities"
    )
    parser.add_argument("labels", type=Path, metavar="LABELS", help="image of the known ink")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="image of where to count; all else is left out")
    _json_argument(parser)


def evaluate(arguments: argparse.Namespace) -> None:
    """Score a prediction against known ink."""
    from tqdm import tqdm

    from napari_ink.evaluation import edge_crops, edge_scores, ink_scores, label_edges
    from napari_ink.stack import read_mask

    ink, edge, shape, region = _read_probabilities(arguments.prediction)
    truth = read_mask(arguments.labels, shape)[region]
    inside = read_mask(arguments.mask, shape)[region] if arguments.mask else None
    if inside is not None and not inside.any():
        raise BadInputError(f"{arguments.mask} leaves nothing to score; use a mask that is white where to count.")
    scores: dict[str, Any] = asdict(ink_scores(ink, truth, inside))
    scores["edge_ods"] = None
    if edge is not None:
        crops = edge_crops(edge, label_edges(truth), inside)
        scores["edge_ods"] = edge_scores(tqdm(crops, desc="edges", unit="crop", disable=None, leave=False)).ods
    if arguments.json:
        _print_json(scores)
        return
    print("F0.5 {f0_5:.3f} at its best threshold, {best_threshold:.2f}".format(**scores))
    print("  there precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}".format(**scores))
    print("F0.5 {f0_5_at_half:.3f} at threshold 0.5, average precision {average_precision:.3f}".format(**scores))
    if edge is not None:
        print("edge ODS {edge_ods:.3f}".format(**scores))


def _read_probabilities(path: Path) -> tuple[Plane, Plane | None, tuple[int, int], tuple[slice, slice]]:
    """Return ink and, where the file knows them, edges; the segment's shape, and the part of it that they cover."""
    from napari_ink.predict import Region, open_prediction
    from napari_ink.stack import read_plane

    if path.is_file():
        plane = read_plane(path)
        top = 1 if plane.dtype.kind == "b" else 2 ** (8 * plane.dtype.itemsize) - 1
        return plane if plane.dtype == "uint8" else plane / top, None, plane.shape, Region.whole(plane.shape).slices
    prediction = open_prediction(path)
    if not prediction.complete:
        raise BadInputError(f"{path} is not finished; go on with `napari-ink predict --resume` before it is scored.")
    region = prediction.region.slices
    return prediction.read("ink", *region), prediction.read("edge", *region), prediction.shape, region


def _phantom_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="the segment folder to make")
    parser.add_argument("--seed", type=int, required=True, metavar="N", help="the same seed makes the same voxels")
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("H", "W"), help="pixels")
    parser.add_argument("--layers", type=int, default=65, metavar="N", help="depth layers, default: %(default)s")


def phantom(arguments: argparse.Namespace) -> None:
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


def models(arguments: argparse.Namespace) -> None:
    """List the models that can be run here, with what each reads."""
    from napari_ink.model import shipped_models

    cards = shipped_models()
    if arguments.json:
        _print_json([_card_facts(card) for card in cards])
        return
    for card in cards:
        contract = card.contract
        print(
            f"{card.name}: {card.parameters / 1e6:.1f} million parameters; reads {contract.depth_layers} depth layers "
            f"(at least {contract.min_depth_layers}), {contract.direction}, in tiles of {contract.tile_size} pixels; "
            f"trained at {contract.voxel_size_um} µm"
        )


def _card_facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "path": str(card.path),
        "parameters": card.parameters,
        "contract": card.contract.model_dump(mode="json"),
        "provenance": dict(card.provenance),
    }


if __name__ == "__main__":
    sys.exit(main())
