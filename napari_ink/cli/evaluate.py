"""The command `napari-ink evaluate`: score a prediction against labels."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import json_argument, print_json
from napari_ink.cli.ground_truth import read_truth
from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[Any]

# Edges are matched in crops of this height and width, within this share of the diagonal, as in the BSDS benchmark.
_CROP = 512
_TOLERANCE = 0.0075
_BOUNDARY_PX = 5  # about the distance at which edges still match in crops of this size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "prediction",
        type=Path,
        metavar="PREDICTION",
        help="prediction store, or image or Zarr of ink probabilities",
    )
    parser.add_argument(
        "labels", type=Path, metavar="LABELS", help="image or Zarr of the known ink, or of label values 0, 1 and 2"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="image or Zarr that is white where pixels count; default: the supervision mask beside the labels",
    )
    where.add_argument(
        "--everywhere", action="store_true", help="count every pixel, even with a supervision mask beside the labels"
    )
    parser.add_argument(
        "--boundary-px",
        type=int,
        default=_BOUNDARY_PX,
        metavar="N",
        help="distance from outlines that boundary IoU counts, in pixels; default: %(default)s",
    )
    parser.add_argument(
        "--thinned",
        action="store_true",
        help="score the predicted edges without non-maximum suppression, since they are thin lines already",
    )
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Score a prediction against labels of the known ink."""
    import numpy as np

    from napari_ink.evaluation import boundary_iou, ink_scores

    if arguments.boundary_px < 1:
        raise BadInputError(f"--boundary-px is {arguments.boundary_px}, which contains no outline; give at least 1.")
    ink, edge, shape, region = read_probabilities(arguments.prediction)
    truth, inside, counted = read_truth(arguments.labels, arguments.mask, arguments.everywhere, shape, region)
    print(f"Counts {counted}.", file=sys.stderr)
    if arguments.thinned and edge is None:
        print(f"{arguments.prediction} contains no edges, so --thinned has no effect.", file=sys.stderr)
    scores: dict[str, Any] = asdict(ink_scores(ink, truth, inside))
    # Boundary IoU needs a mask, so ink is cut at the threshold with the best F0.5.
    called = ink >= round(scores["best_threshold"] * 255)
    scores["boundary_iou"] = boundary_iou(called, truth, inside, arguments.boundary_px)
    scores |= {"boundary_px": arguments.boundary_px, **_edge_scores(edge, truth, inside, arguments.thinned)}
    scores["pixels"] = int(truth.size if inside is None else np.count_nonzero(inside))
    scores["counted"] = counted
    if arguments.json:
        print_json(scores)
    else:
        _print_for_people(scores)


def _print_for_people(scores: dict[str, Any]) -> None:
    at_best = "precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}, boundary IoU {boundary_iou:.3f}"
    lines = [
        "F0.5 {f0_5:.3f} at its best threshold, {best_threshold:.2f}; {f0_5_at_half:.3f} at 0.5",
        f"  there {at_best} within {{boundary_px}} px",
        "F1 {best_f1:.3f} at its best threshold, {best_f1_threshold:.2f}",
        "average precision {average_precision:.3f}",
        "calibration error {calibration_error:.3f}, Brier score {brier:.3f}",
    ]
    if scores["edge_ods"] is not None:
        lines.append(
            "edges: ODS {edge_ods:.3f} at {edge_ods_threshold:.2f}, OIS {edge_ois:.3f}, AP {edge_average_precision:.3f}"
        )
    print("\n".join(lines).format(**scores))


def _edge_scores(edge: Plane | None, truth: Plane, inside: Plane | None, thinned: bool) -> dict[str, float | None]:
    """Return the edge scores by name, all of them None if the prediction has no edges."""
    import math

    from tqdm import tqdm

    from napari_ink.evaluation import edge_crops, edge_scores, label_edges

    names = ("ods", "ods_threshold", "ois", "average_precision")
    if edge is None:
        return {f"edge_{name}": None for name in names}
    crops = edge_crops(edge, label_edges(truth, inside), inside, _CROP)
    bar = tqdm(crops, desc="edges", unit="crop", disable=None, leave=False)
    # In pixels, so that smaller crops at the border and small segments get the same tolerance.
    scores = edge_scores(bar, reach=_TOLERANCE * math.hypot(_CROP, _CROP), thinned=thinned)
    return {f"edge_{name}": getattr(scores, name) for name in names}


def read_probabilities(path: Path) -> tuple[Plane, Plane | None, tuple[int, int], tuple[slice, slice]]:
    """Return ink, edges (None if the file has none), the segment's shape, and the rows and columns they cover.

    Raises
    ------
    BadInputError
        If the file holds no probabilities, or a prediction is not finished.
    """
    from napari_ink.predict import NoPredictionError, open_prediction
    from napari_ink.region import Region
    from napari_ink.stack import holds_zarr

    try:
        prediction = None if path.is_file() else open_prediction(path)
    except NoPredictionError:
        if not holds_zarr(path):
            raise
        prediction = None  # a Zarr without a record, perhaps another program's prediction
    if prediction is None:
        plane = _read_levels(path)
        return plane, None, plane.shape, Region.whole(plane.shape).slices
    if not prediction.complete:
        raise BadInputError(
            f"{path} is not finished; continue it with `napari-ink predict --resume` before you score it."
        )
    region = prediction.region.slices
    return prediction.read("ink", *region), prediction.read("edge", *region), prediction.shape, region


def _read_levels(path: Path) -> Plane:
    """Read probabilities from an image as levels of 0 to 255; print notes on guesses to standard error."""
    import numpy as np

    from napari_ink.stack import opened_plane

    with opened_plane(path) as image:
        meaning = image.meaning(threshold=0)
        if meaning.are_labels:
            raise BadInputError(
                f"{path} contains label values of 0 to 2, not probabilities; give a map of probabilities."
            )
        if meaning.note:
            print(meaning.note, file=sys.stderr)
        levels, top = np.empty(image.shape, np.uint8), 0
        for strip in image.strips():
            levels[top : top + len(strip)] = meaning.levels(strip)
            top += len(strip)
    return levels
