"""Choice of held-out squares in segments without a validation mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.errors import LabelError
from napari_ink.training.crops import TrainingPair
from napari_ink.training.teaching.units import Units, folds

_ONE_IN = 7
_SQUARES_A_SIDE = 6
_SIDES_PX = (48, 512)
_LEAST_REVIEWED = 0.3  # squares with less would be validated on a few pixels, whose share of ink says little
_FOLDS = 4
_NOTHING_HELD_OUT = (
    "Too little is labelled to hold some out: the scores are on the labels that are trained on, so do not rely on them."
)


def hold_out(pairs: Sequence[TrainingPair]) -> tuple[list[TrainingPair], str]:
    """Hold out a part of each pair, unless one of the pairs has a validation mask.

    Reviewed squares are sorted by their share of ink and every seventh is held out, so that held-out squares have about
    as much ink as the others. Where only strokes are labelled, whole groups of strokes are held out. Where there are
    too few of them, the labels that are trained on are validated on, too, and the sentence says so.

    Parameters
    ----------
    pairs
        Training pairs.

    Returns
    -------
    tuple
        The pairs, and a sentence on what is held out.

    Raises
    ------
    LabelError
        If no ink is labelled, or a validation mask leaves none to validate on, or none to train on.
    """
    # Teaching has found already that there are too few strokes.
    if any(pair.judges_trained for pair in pairs):
        return list(pairs), _NOTHING_HELD_OUT
    if any(pair.held_out is not None and pair.held_out.any() for pair in pairs):
        _check_ink(pairs)
        return list(pairs), "The validation masks decide what is held out."
    squares = [replace(pair, held_out=_squares(pair.labels)) for pair in pairs]
    if _has_ink_on_both_sides(squares):
        return squares, f"No validation mask was found: one in {_ONE_IN} reviewed squares is held out."
    strokes = [replace(pair, held_out=_strokes(pair.labels)) for pair in pairs]
    if _has_ink_on_both_sides(strokes):
        return strokes, f"No validation mask was found: about one in {_FOLDS} groups of strokes is held out."
    if not any(_has_ink(pair.labels) for pair in pairs):
        raise LabelError("No ink is labelled to train on; label some.")
    return [replace(pair, judges_trained=True) for pair in pairs], _NOTHING_HELD_OUT


def _check_ink(pairs: Sequence[TrainingPair]) -> None:
    if not any(_has_ink(pair.to_judge()) for pair in pairs):
        raise LabelError("The held-out pixels hold no ink to validate on; mark some ink for validation.")
    if not any(_has_ink(pair.to_train()) for pair in pairs):
        raise LabelError("All ink is held out and none is left to train on; label some more.")


def _has_ink_on_both_sides(pairs: Sequence[TrainingPair]) -> bool:
    return any(_has_ink(pair.to_judge()) for pair in pairs) and any(_has_ink(pair.to_train()) for pair in pairs)


def _strokes(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the labelled pixels of about a quarter of the groups of strokes."""
    units = Units(labels)
    shared = folds(units.units, _FOLDS)
    return units.mask(shared[0]) & (labels > 0) if len(shared) > 1 else np.zeros(labels.shape, bool)


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
    # Starting in the middle of the first seven leaves the square with most ink for training.
    for _, y, x in sorted(found, reverse=True)[_ONE_IN // 2 :: _ONE_IN]:
        held_out[y : y + side, x : x + side] = True
    return held_out
