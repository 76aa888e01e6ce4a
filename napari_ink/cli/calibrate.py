"""The command `napari-ink calibrate`: a threshold from labelled segments."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_ink.cli.evaluate import read_probabilities
from napari_ink.cli.ground_truth import read_truth
from napari_ink.errors import BadInputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--cell",
        nargs="+",
        action="append",
        required=True,
        metavar="WORD",
        help="SCROLL PREDICTION LABELS [MASK]: a labelled segment; repeat it for each. PREDICTION is a store or an "
        "image of probabilities, MASK is white where pixels count, by default the supervision mask beside the labels",
    )
    parser.add_argument("--checkpoint", default="", metavar="NAME", help="model that made the predictions, to be noted")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="calibration.json", help="file to write")


def run(arguments: argparse.Namespace) -> None:
    """Calibrate the threshold of a model on labelled segments, and write calibration.json."""
    from napari_ink.calibration_file import read_calibration
    from napari_ink.evaluation.calibration import calibration_record, cell_of, write_calibration

    cells = []
    for words in arguments.cell:
        if len(words) not in (3, 4):
            raise BadInputError(
                f"--cell {' '.join(words)} has {len(words)} words; give SCROLL PREDICTION LABELS [MASK]."
            )
        scroll, prediction, labels, *mask = words
        ink, _, shape, region = read_probabilities(Path(prediction))
        truth, inside, counted = read_truth(Path(labels), Path(mask[0]) if mask else None, False, shape, region)
        cell = cell_of(scroll, prediction, ink, truth, inside)
        cells.append(cell)
        print(
            f"{scroll}, {prediction}: best at {cell.best / 255:.3f} with F1 {cell.f1.max():.3f}, {cell.f1[128]:.3f} at "
            f"0.5; counts {counted}",
            file=sys.stderr,
        )
    record = calibration_record(cells, arguments.checkpoint)
    for scroll, cost in (record["check_against_other_scrolls"] or {}).items():
        print(
            f"{scroll}: the threshold of the other scrolls, {cost['threshold_from_other_scrolls'] / 255:.3f}, costs "
            f"{cost['mean_f1_loss_borrowed']:.3f} F1, and 0.5 costs {cost['mean_f1_loss_128']:.3f}.",
            file=sys.stderr,
        )
    out = write_calibration(record, arguments.out.absolute())
    print(read_calibration(out).in_words, file=sys.stderr)
    print(out)
