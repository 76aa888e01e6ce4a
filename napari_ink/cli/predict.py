"""The command `napari-ink predict`: predict ink and edges."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.cli.common import STACK_SOURCES, grey_range, grey_range_argument, print_stack_notes, stated_region
from napari_ink.decoding import decode_text, read_bounded
from napari_ink.errors import BadInputError, NapariInkError, storage_errors

if TYPE_CHECKING:
    from napari_ink.model import Direction
    from napari_ink.predict import PredictRequest, TestTimeAugmentation

    _Asked = partial[PredictRequest]

LARGEST_MEAN = 64
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_INNER = ("layers", "surface_volume")
_SUFFIXES = (
    ".zarr",
    ".npy",
    ".tif",
    ".tiff",
    ".nrrd",
    ".nhdr",
    ".h5",
    ".hdf5",
    ".hdf",
    ".he5",
    ".nxs",
    ".mat",
    ".ims",
    ".ozx",
)
_FILES = (".csv", ".geojson", ".jpeg", ".jpg", ".json", ".npy", ".png", ".svg", ".tif", ".tiff")
_BOTH = "both"
_DIRECTIONS: dict[str | None, Direction | None] = {
    None: None,
    "as-stored": "as stored",
    "reversed": "reversed",
    _BOTH: None,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "stacks",
        nargs="+",
        metavar="STACK",
        help=f"{STACK_SOURCES}; or several, or a .txt file with one on each line, to predict one after the other",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="OUT.zarr",
        help="prediction store to write; for several stacks the folder for their stores",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="M",
        help="a name that `napari-ink models` lists, or a model file; several models are averaged",
    )
    parser.add_argument("--region", metavar="Y0:Y1,X0:X1", help="predict only these rows and columns")
    parser.add_argument(
        "--mask", type=Path, metavar="FILE", help="image or Zarr that is white on papyrus; the rest is skipped"
    )
    _add_reading(parser)
    parser.add_argument(
        "--augment",
        metavar="HOW",
        help="also average over views: flips, rotations, depth, or several with commas; takes 3 to 24 times as long",
    )
    parser.add_argument("--overlap", type=float, metavar="F", help="share of a tile that overlaps with its neighbour")
    parser.add_argument("--tile-size", type=int, metavar="PX", help="height and width of tiles; default: the model's")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto")
    parser.add_argument(
        "--precision",
        choices=("float32", "fast"),
        default="float32",
        help="fast: compute in bfloat16 where model and processor allow it, for nearly the same maps; default: float32",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="predict on the workers of this dask scheduler, or on this number of workers on this machine",
    )
    parser.add_argument("--resume", action="store_true", help="continue a prediction that was interrupted")
    parser.set_defaults(
        if_interrupted="Interrupted; the finished part is saved. Run the same command with --resume to continue."
    )


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the arguments on what the model reads of a stack."""
    parser.add_argument(
        "--direction",
        choices=("as-stored", "reversed", _BOTH),
        help="order in which depth layers are read; both: two maps, the second called OUT_reverse.zarr, and which of "
        "them separates ink better; default: the model's",
    )
    parser.add_argument(
        "--offset",
        type=int,
        metavar="N",
        help="layers from the middle of the stack to that of the window, in reading order; default: the model's",
    )
    grey_range_argument(parser)
    parser.add_argument(
        "--resample",
        metavar="N",
        help="read means of N layers and of N × N pixels, such as 4 or 1.2137, or LAYERS,PIXELS, or none; default: "
        "what the voxel sizes of stack and model call for",
    )


def run(arguments: argparse.Namespace) -> int | None:
    """Predict ink and edges of one or more stacks, tile by tile, and write them as OME-Zarr."""
    stacks = _listed(arguments.stacks)
    is_one = len(stacks) == 1 and len(arguments.stacks) == 1 and not arguments.stacks[0].endswith(".txt")
    if not is_one and (arguments.region or arguments.mask):
        raise BadInputError("--region and --mask apply to one stack; predict that stack alone.")
    if not is_one:
        return _queue(stacks, arguments)
    print(_result(stacks[0], arguments.out, arguments, _asked(arguments)))
    return None


def _listed(sources: list[str]) -> list[str]:
    """Return the stacks, including those in list files; empty lines and lines that begin with # are ignored."""
    found: list[str] = []
    for source in sources:
        if not source.endswith(".txt"):
            found.append(source)
            continue
        lines = decode_text(read_bounded(Path(source), BadInputError), BadInputError, source).splitlines()
        found += [_beside(line, Path(source)) for line in map(_unquoted, lines) if line and not line.startswith("#")]
    if not found:
        raise BadInputError(f"{', '.join(sources)} lists no stack; write one on each line.")
    return found


def _unquoted(line: str) -> str:
    """Return a line of a list without the quotes that Windows puts around copied paths."""
    line = line.strip()
    return line[1:-1].strip() if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'" else line


def _beside(line: str, source: Path) -> str:
    """Return a stack's path relative to its list's folder, if it does not exist relative to the current folder."""
    from napari_ink.stack import is_address

    place = source.parent / line
    return str(place) if not is_address(line) and not _is_there(Path(line)) and _is_there(place) else line


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):
        return False


def _queue(stacks: list[str], arguments: argparse.Namespace) -> int:
    """Predict stacks one after the other; a stack that fails is reported, and the rest continues."""
    from napari_ink.predict import open_cluster

    names = [_name(stack) for stack in stacks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadInputError(f"Several stacks are called {', '.join(sorted(twice))}; predict them into other folders.")
    # Errors that concern all stacks are reported once, before anything is written.
    asked, scheduler = _asked(arguments), arguments.scheduler
    with nullcontext() if scheduler is None else open_cluster(scheduler, arguments.device) as cluster:
        with storage_errors(arguments.out):
            arguments.out.mkdir(parents=True, exist_ok=True)
        return _one_by_one(stacks, names, arguments, partial(asked, scheduler=cluster))


def _one_by_one(stacks: list[str], names: list[str], arguments: argparse.Namespace, asked: _Asked) -> int:
    failed = []
    for number, (stack, name) in enumerate(zip(stacks, names, strict=True), 1):
        print(f"{number} of {len(stacks)}: {stack}", file=sys.stderr)
        try:
            # Flushed, since a queue may run for hours and its log should show each result at once.
            print(_result(stack, arguments.out / f"{name}.zarr", arguments, asked), flush=True)
        except (NapariInkError, MemoryError) as error:
            failed.append(name)
            why = "it needs more memory than this machine has" if isinstance(error, MemoryError) else str(error)
            print(f"{stack}: failed: {' '.join(why.split())}", flush=True)
    done = len(stacks) - len(failed)
    print(f"{done} of {len(stacks)} stacks are predicted" + (f"; failed: {', '.join(failed)}." if failed else "."))
    return 1 if failed else 0


def _asked(arguments: argparse.Namespace) -> _Asked:
    """Return a partial request with everything that does not depend on the stack, checked and loaded."""
    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import PredictRequest, check_overlap, choose_device

    if arguments.overlap is not None:
        check_overlap(arguments.overlap)
    # With a scheduler, the device is that of the workers, and this machine need not have it.
    if arguments.scheduler is None:
        choose_device(arguments.device)
    augment = _augmentations(arguments.augment)
    model, *others = (
        load_model(name).reading(_DIRECTIONS[arguments.direction], arguments.offset, grey_range(arguments))
        for name in arguments.model or [DEFAULT_MODEL]
    )
    return partial(
        PredictRequest,
        model=model,
        others=tuple(others),
        augment=augment,
        overlap=arguments.overlap,
        tile_size=arguments.tile_size,
        device=arguments.device,
        resume=arguments.resume,
        scheduler=arguments.scheduler,
        precision=arguments.precision,
        resample=_means(arguments.resample),
    )


def _means(text: str | None) -> tuple[float, float] | None:
    """Return how many layers, and pixels along each side of a square, to average; None if that is not stated."""
    if text is None:
        return None
    layers, _, pixels = text.partition(",")
    stated = ["1", "1"] if text == "none" else [layers, pixels or layers]
    if not all(_NUMBER.fullmatch(one) and 1 <= float(one) <= LARGEST_MEAN for one in stated):
        raise BadInputError(
            f"--resample {text} is not possible; give a number from 1 to {LARGEST_MEAN}, or two with a comma (layers, "
            "pixels), or none."
        )
    return float(stated[0]), float(stated[1])


def _augmentations(text: str | None) -> tuple[TestTimeAugmentation, ...]:
    from napari_ink.predict import AUGMENTATIONS, check_augmentations

    names = {name.strip() for name in (text or "").split(",") if name.strip()}
    check_augmentations(names)
    # In a fixed order, so that a run can be resumed with the same names in another order.
    return tuple(name for name in AUGMENTATIONS if name in names)


def _name(source: str) -> str:
    """Return the name for a stack's prediction: its segment's, or its file's without the suffix.

    For a file with several stacks, the name of the stack inside is appended.
    """
    from napari_ink.stack import address_path, is_address

    path, _, inside = (source, "", "") if is_address(source) or _is_there(Path(source)) else source.rpartition("::")
    path, inside = (path, inside) if path else (inside, "")
    # Absolute, so that a stack given as . or .. has a name.
    place = address_path(source) if is_address(source) else Path(os.path.abspath(path))
    segment = place.parent if place.name in _INNER else place
    segment = segment.with_suffix("") if segment.name.lower().endswith(".zarr.zip") else segment
    name = segment.stem if segment.suffix.lower() in _SUFFIXES else segment.name
    return "_".join([name, *filter(None, inside.split("/"))])


def _check_store_name(out: Path) -> None:
    """Refuse the name of a picture or a table for a new store, which no program would open under it."""
    if out.suffix.lower() in _FILES and not out.exists():
        raise BadInputError(
            f"{out} ends in {out.suffix}, but a prediction is a folder; name it {out.stem}.zarr, and make a file from "
            "it with `napari-ink export`."
        )


def _result(source: str, out: Path, arguments: argparse.Namespace, asked: _Asked) -> str:
    """Predict one stack, perhaps in both directions, and return sentences about the results."""
    if arguments.direction != _BOTH:
        return _predict(source, out, arguments, asked)
    models = (asked.keywords["model"], *asked.keywords["others"])
    ways: tuple[tuple[Direction, Path], ...] = (("as stored", out), ("reversed", _reverse_of(out)))
    results = []
    for direction, path in ways:
        model, *others = (one.reading(direction) for one in models)
        results.append(_predict(source, path, arguments, partial(asked, model=model, others=tuple(others))))
    return "\n".join((*results, _compared(source, *(path for _, path in ways))))


def _reverse_of(out: Path) -> Path:
    """Return the name of the map of the reversed stack, as the authors' tools form it."""
    return out.with_name(f"{out.stem}_reverse{out.suffix}")


def _compared(source: str, as_stored: Path, backwards: Path) -> str:
    """Return a sentence on the direction in which ink stands out, by the labels beside the stack if there are any."""
    from napari_ink.cli.ground_truth import read_truth
    from napari_ink.predict import compare_directions, open_prediction
    from napari_ink.stack import find_beside, open_stack

    first, second = open_prediction(as_stored), open_prediction(backwards)
    labels = find_beside(open_stack(source)).ink_labels
    if labels is None:
        return compare_directions(first, second).sentence
    ink, inside, counted = read_truth(labels, None, False, first.shape, first.region.slices)
    print(f"Compares the ink with {labels.name}, and counts {counted}.", file=sys.stderr)
    return compare_directions(first, second, ink, inside).sentence


def _predict(source: str, out: Path, arguments: argparse.Namespace, asked: _Asked) -> str:
    """Predict one stack, and return a sentence about the result."""
    from tqdm import tqdm

    from napari_ink.predict import PredictionEnded, PredictionNote, PredictionStarted, TilePredicted
    from napari_ink.predict import predict as predict_tiles
    from napari_ink.stack import open_stack, read_segment_mask

    _check_store_name(out)
    stack = open_stack(source)
    print_stack_notes(stack)
    request = asked(
        stack=stack,
        out=out,
        region=stated_region(arguments.region, stack),
        mask=read_segment_mask(arguments.mask, stack.shape[1:]) if arguments.mask else None,
        mask_source=arguments.mask,
    )
    result = ""
    # `disable=None` keeps the bar off logs and pipes.
    with closing(predict_tiles(request)) as events, tqdm(unit="tile", disable=None) as bar:
        for event in events:
            match event:
                case PredictionStarted():
                    bar.reset(event.tiles)
                    bar.write(
                        "\n".join((*event.doubts, *event.notes, f"Runs on {event.device_name}.")), file=sys.stderr
                    )
                case PredictionNote():
                    bar.write(event.sentence, file=sys.stderr)
                case TilePredicted():
                    bar.update(event.done - bar.n)
                case PredictionEnded():
                    tiles = "1 tile" if event.tiles == 1 else f"{event.tiles} tiles"
                    result = f"{event.path}: {tiles} in {event.seconds:.0f} s"
    return result
