"""The command `napari-ink probe`: check whether a stack fits a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.cli.common import (
    grey_range,
    grey_range_argument,
    json_argument,
    print_json,
    print_stack_notes,
    stack_argument,
    stated_region,
)
from napari_ink.cli.ground_truth import read_truth
from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    from napari_ink.predict import ProbeRequest
    from napari_ink.predict.probing.probe import ProbeEnded, ProbeStarted, WindowProbed
    from napari_ink.predict.probing.verdict import Window

_BAR = 40
_PICTURES = (".png", ".tif", ".tiff")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    stack_argument(parser)
    parser.add_argument("--model", metavar="M", help="a name that `napari-ink models` lists, or a model file")
    parser.add_argument("--region", metavar="Y0:Y1,X0:X1", help="probe only these rows and columns")
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="image or Zarr that is white on papyrus; default: the mask beside the stack",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="image or Zarr of the known ink; default: the labels beside the stack",
    )
    parser.add_argument("--no-labels", action="store_true", help="ignore labels beside the stack")
    parser.add_argument(
        "--tiles", type=int, default=6, metavar="N", help="largest number of tiles; default: %(default)s"
    )
    parser.add_argument(
        "--reach",
        type=int,
        default=12,
        metavar="N",
        help="largest offset of the window in layers, to either side; default: %(default)s",
    )
    grey_range_argument(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="save a picture of the curves and maps of both directions"
    )
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Check whether a stack fits a model: find the direction and window of layers that separate ink best."""
    from tqdm import tqdm

    from napari_ink.export import check_output
    from napari_ink.predict import ProbeEnded, ProbeStarted, WindowProbed, probe

    # Before the probe, whose work would be lost if the plot could not be written.
    if arguments.plot is not None:
        if arguments.plot.suffix.lower() not in _PICTURES:
            raise BadInputError(f"{arguments.plot} does not end in .png or .tif; give the plot a name that does.")
        check_output(arguments.plot.absolute())
    started: ProbeStarted | None = None
    probed: list[WindowProbed] = []
    with closing(probe(_request(arguments))) as events, tqdm(unit="window", disable=None, leave=False) as bar:
        for event in events:
            match event:
                case ProbeStarted():
                    started = event
                    bar.reset(event.windows)
                case WindowProbed():
                    probed.append(event)
                    bar.update()
                case ProbeEnded():
                    ended = event
    assert started is not None  # the first event
    if arguments.plot is not None:
        from napari_ink.cli.probe_plot import write_plot

        write_plot(arguments.plot, probed, ended.verdict)
    windows = [event.window for event in probed]
    if arguments.json:
        print_json(_facts(started, windows, ended))
    else:
        _print_for_people(started, windows, ended)


def _request(arguments: argparse.Namespace) -> ProbeRequest:
    from napari_ink.model import DEFAULT_MODEL, load_model
    from napari_ink.predict import ProbeRequest
    from napari_ink.region import Region
    from napari_ink.stack import find_beside, open_stack, read_segment_mask

    stack = open_stack(arguments.stack)
    print_stack_notes(stack)
    region = stated_region(arguments.region, stack)
    path = arguments.mask or find_beside(stack).mask
    mask = None
    if path is not None:
        found = read_segment_mask(path, stack.shape[1:])
        mask = found[:, :]
        if found.note:
            print(found.note, file=sys.stderr)
    labels = arguments.labels or (None if arguments.no_labels else find_beside(stack).ink_labels)
    ink = None
    if labels is not None:
        whole = Region.whole(stack.shape[1:]).slices
        ink, reviewed, counted = read_truth(labels, None, False, stack.shape[1:], whole)
        print(f"Compares the ink with {labels.name}, and counts {counted}.", file=sys.stderr)
        # Tiles are chosen where both masks are white.
        mask = reviewed if mask is None else mask if reviewed is None else mask & reviewed
    return ProbeRequest(
        stack=stack,
        model=load_model(arguments.model or DEFAULT_MODEL).reading(grey_range=grey_range(arguments)),
        region=region,
        mask=mask,
        ink=ink,
        device=arguments.device,
        tiles=arguments.tiles,
        reach=arguments.reach,
    )


def _facts(started: ProbeStarted, windows: Sequence[Window], ended: ProbeEnded) -> dict[str, object]:
    return {
        "verdict": asdict(ended.verdict),
        "separation": "with labels" if started.has_labels else "without labels",
        "windows": [asdict(window) for window in windows],
        "notes": list(started.notes),
        "tiles": [str(tile) for tile in started.tiles],
        "seconds": round(ended.seconds, 1),
    }


def _print_for_people(started: ProbeStarted, windows: Sequence[Window], ended: ProbeEnded) -> None:
    what = "mean on ink minus mean on papyrus" if started.has_labels else "how well its values fall into two groups"
    count = f"{len(started.tiles)} {'tile' if len(started.tiles) == 1 else 'tiles'}"
    print(f"Separation, 0 to 255 ({what}), on {count}:")
    by_offset = {offset: {w.direction: w for w in windows if w.offset == offset} for offset in _offsets(windows)}
    top = max(max(window.separation for window in windows), 1.0)
    print(f"{'offset':>7}  {'as stored':<{_BAR // 2 + 5}}  reversed")
    for offset, row in by_offset.items():
        cells = [_cell(row[direction].separation, top) for direction in ("as stored", "reversed")]
        print(f"{offset:>7}  {cells[0]}  {cells[1].rstrip()}")
    for note in started.notes:
        print(note)
    print(ended.verdict.sentence)


def _offsets(windows: Sequence[Window]) -> list[int]:
    return sorted({window.offset for window in windows})


def _cell(separation: float, top: float) -> str:
    width = _BAR // 2
    bar = "█" * round(max(separation, 0.0) / top * width)
    return f"{round(separation):4d} {bar:<{width}}"
