"""What is held out where nobody drew a validation mask: squares of the segments, rich in ink and poor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.errors import LabelError
from napari_ink.training.crops import TrainingPair

_ONE_IN = 7
_SQUARES_A_SIDE = 6
_SIDES_PX = (48, 512)
_LEAST_REVIEWED = 0.3


def hold_out(pairs: Sequence[TrainingPair]) -> tuple[list[TrainingPair], str]:
    """Hold out a part of each pair, unless somebody did so for any of them.

    Squares that have been reviewed are put in order of their share of ink and every seventh is taken, so that what is
    held out is as rich in ink as the rest.

    Returns
    -------
    tuple
        The pairs, and a sentence on what is held out.

    Raises
    ------
    LabelError
        If no ink is held out, or none is left to train on.
    """
    if any(pair.held_out is not None and pair.held_out.any() for pair in pairs):
        chosen, said = list(pairs), "Judged by what the validation masks hold out."
    else:
        chosen = [replace(pair, held_out=_squares(pair.labels)) for pair in pairs]
        said = f"No validation mask was found: one in {_ONE_IN} squares of what has been reviewed is held out."
    if not any(_has_ink(pair.to_judge()) for pair in chosen):
        raise LabelError("What is held out holds no ink, so nothing could be judged; mark some ink for validation.")
    if not any(_has_ink(pair.to_train()) for pair in chosen):
        raise LabelError("The labels hold no ink to train on beside what is held out; label some more.")
    return chosen, said


def _has_ink(labels: npt.NDArray[np.uint8]) -> bool:
    return bool((labels == LabelValue.INK).any())


def _squares(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    side = int(np.clip(max(labels.shape) // _SQUARES_A_SIDE, *_SIDES_PX))
    found = []
    for y, x in product(*(range(0, length, side) for length in labels.shape)):
        window = (slice(y, y + side), slice(x, x + side))
        ink = float((labels[window] == LabelValue.INK).mean())
        reviewed = ink + float((labels[window] == LabelValue.PAPYRUS).mean())
        if reviewed >= _LEAST_REVIEWED:
            found.append((ink / reviewed, y, x))
    held_out = np.zeros(labels.shape, bool)
    # From the richest down, beginning in the middle of the first seven: the very richest square is left to train on.
    for _, y, x in sorted(found, reverse=True)[_ONE_IN // 2 :: _ONE_IN]:
        held_out[y : y + side, x : x + side] = True
    return held_out
