"""`napari-ink evaluate`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import json_argument, print_json
from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "prediction", type=Path, metavar="PREDICTION", help="a prediction store, or an image of ink probabilities"
    )
    parser.add_argument("labels", type=Path, metavar="LABELS", help="image of the known ink")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="image of where to count; all else is left out")
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
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
        print_json(scores)
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
