"""Thresholds calibrated on labelled segments, in the ``calibration.json`` of the Vesuvius Challenge's tools.

A threshold is a level of 0 to 255: the median of those with the best F1 of each segment. A threshold from one segment
says little about another: one from one scroll missed nearly all ink of another. So with a single one it is a guess.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.durable import write_bytes
from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.evaluation.ink import Plane, f1_by_level
from napari_ink.typing import Mask

HALF = 128


@dataclass(frozen=True, eq=False)
class CalibrationCell:
    """A labelled segment: the scroll, the prediction's name, and F1 at each level that could be the threshold."""

    scroll: str
    prediction: str
    f1: npt.NDArray[np.float64]

    @property
    def best(self) -> int:
        """Level with the best F1."""
        return int(self.f1.argmax())


def cell_of(scroll: str, prediction: str, probability: Plane, ink: Mask, inside: Mask | None) -> CalibrationCell:
    """Return the cell of a labelled segment.

    Raises
    ------
    BadInputError
        If no labelled ink counts.
    """
    if not (ink if inside is None else ink & inside).any():
        raise BadInputError(
            f"{prediction} has no labelled ink to calibrate on; give labels of ink, or another segment."
        )
    return CalibrationCell(scroll, prediction, f1_by_level(probability, ink, inside))


def median_threshold(cells: Sequence[CalibrationCell]) -> int:
    """Return the median of the best levels, rounded half up."""
    return math.floor(median(cell.best for cell in cells) + 0.5)


def calibration_record(cells: Sequence[CalibrationCell], checkpoint: str = "") -> dict[str, Any]:
    """Return the content of ``calibration.json``."""
    scrolls = sorted({cell.scroll for cell in cells})
    return {
        "checkpoint": checkpoint,
        "threshold": median_threshold(cells),
        "cells": [
            {
                "scroll": cell.scroll,
                "prediction": cell.prediction,
                "best_threshold": cell.best,
                "f1_best": float(cell.f1.max()),
                f"f1_at_{HALF}": float(cell.f1[HALF]),
            }
            for cell in cells
        ],
        "check_against_other_scrolls": {scroll: _borrowed(scroll, cells) for scroll in scrolls}
        if len(scrolls) > 1
        else None,
    }


def _borrowed(scroll: str, cells: Sequence[CalibrationCell]) -> dict[str, float | int]:
    """Return what the threshold of the other scrolls costs on one, and what the middle level costs."""
    own = [cell for cell in cells if cell.scroll == scroll]
    other = median_threshold([cell for cell in cells if cell.scroll != scroll])
    return {
        "cells": len(own),
        "threshold_from_other_scrolls": other,
        "mean_f1_best": float(np.mean([cell.f1.max() for cell in own])),
        "mean_f1_loss_borrowed": float(np.mean([cell.f1.max() - cell.f1[other] for cell in own])),
        f"mean_f1_loss_{HALF}": float(np.mean([cell.f1.max() - cell.f1[HALF] for cell in own])),
    }


def write_calibration(record: Mapping[str, Any], out: Path) -> Path:
    """Write a new ``calibration.json``, and return its path.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    if out.exists():
        raise OutputError(f"{out} exists already; choose another name.")
    with storage_errors(out):
        write_bytes(out, (json.dumps(record, indent=2) + "\n").encode())
    return out
