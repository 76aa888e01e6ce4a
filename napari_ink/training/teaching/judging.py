"""Judging of models on strokes that taught them nothing.

Strokes hold about as much ink as papyrus, and a segment much less. So scores are given for a share of ink of
`INK_SHARE`, whatever was painted. A score on strokes says which of two models is better, not how good a map is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from napari_ink.training.teaching.samples import Samples
from napari_ink.training.teaching.taught_models import NOT_HELD_OUT, StrokeScores
from napari_ink.training.teaching.units import Unit, folds, has_both

INK_SHARE = 0.12
"""Share of a written page that is covered by ink, as in the phantoms of the published sets."""
# Of the map; strokes of ink are a few per cent of a page at least, and a page that is covered by it is no page.
_SHARES = (0.04, 0.15)
_MOST_FOLDS = 4
_LEAST_UNITS = 4


def scores(
    values: npt.NDArray[np.floating], is_ink: npt.NDArray[np.bool_], ink_share: float = INK_SHARE
) -> StrokeScores:
    """Return the scores of predicted values ``(n,)``.

    Parameters
    ----------
    values
        Probabilities of ink, 0 to 1.
    is_ink
        The truth; it holds both kinds.
    ink_share
        Share of ink that F0.5 and its threshold are for, between 0 and 1.
    """
    from sklearn.metrics import auc, roc_curve

    false, recall, thresholds = roc_curve(is_ink, values, drop_intermediate=False)
    # F0.5 in terms of the two rates, where ink_share of all pixels are ink.
    f = 1.25 * ink_share * recall / (ink_share * (0.25 + recall) + (1 - ink_share) * false)
    best = int(np.argmax(f))
    # Between the last value that counts as ink and the next lower one, so that rounding cannot change sides.
    threshold = float(np.clip(thresholds[best : best + 2].mean(), 0.01, 0.99))
    return StrokeScores(
        auc=round(float(auc(false, recall)), 4), f0_5=round(float(f[best]), 4), threshold=round(threshold, 3)
    )


def scores_by_fold(
    values: npt.NDArray[np.floating], is_ink: npt.NDArray[np.bool_], fold: npt.NDArray[np.intp]
) -> StrokeScores | None:
    """Return the mean scores of the folds that hold both kinds; None if there is none.

    Values of different folds come from different models, so they are never ranked against each other: a model that
    misses a fold's ink has also seen less ink, and gives all of that fold lower values.

    Parameters
    ----------
    values, is_ink
        As for `scores`; values that are not numbers do not count.
    fold
        Number of the fold of each value; negative ones do not count.
    """
    found, weights = [], []
    for number in np.unique(fold[fold >= 0]):
        own = (fold == number) & np.isfinite(values)
        ink = int(is_ink[own].sum())
        if 0 < ink < own.sum():
            found.append(scores(values[own], is_ink[own]))
            weights.append(min(ink, int(own.sum()) - ink))
    if not found:
        return None

    def mean(name: str) -> float:
        return round(float(np.average([getattr(one, name) for one in found], weights=weights)), 4)

    return StrokeScores(auc=mean("auc"), f0_5=mean("f0_5"), threshold=mean("threshold"))


def with_plausible_threshold(found: StrokeScores, values: npt.NDArray[np.floating]) -> StrokeScores:
    """Return scores whose threshold marks a plausible share of a map as ink.

    People paint where a map is wrong, so that a threshold which is best on strokes is often far too low for the map.

    Parameters
    ----------
    found
        Scores with the threshold that is best on strokes.
    values
        Probabilities of ink on the map, in any order.
    """
    most, least = np.quantile(values, [1 - _SHARES[0], 1 - _SHARES[1]])
    threshold = float(np.clip(found.threshold, max(least, 0.01), max(min(most, 0.99), 0.01)))
    return found.model_copy(update={"threshold": round(threshold, 3)})


def fold_of(unit: npt.NDArray[np.int32], held_out: Sequence[Sequence[int]]) -> npt.NDArray[np.intp]:
    """Return the number of the fold of each sample by its unit; −1 outside of all folds."""
    found = np.full(len(unit), -1, np.intp)
    for number, fold in enumerate(held_out):
        found[np.isin(unit, list(fold))] = number
    return found


def choose_folds(units: Sequence[Unit], seed: int = 0) -> tuple[list[list[int]], str]:
    """Return folds of units to judge on in turn, and a sentence on them; no fold if the strokes are too few."""
    if len(units) >= _LEAST_UNITS:
        found = folds(units, _MOST_FOLDS, seed)
        by_number = {unit.number: unit for unit in units}
        judged = [fold for fold in found if has_both(by_number[number] for number in fold)]
        if len(found) > 1 and judged:
            held = sum(len(fold) for fold in judged)
            return found, f"Judged on {held} groups of strokes, each by a model that had not seen it."
    return [], NOT_HELD_OUT


def cross_validate(
    samples: Samples,
    unit: npt.NDArray[np.int32],
    held_out: Sequence[Sequence[int]],
    fit: Callable[[Samples], Callable[[npt.NDArray[np.float16]], npt.NDArray[np.float32]]],
) -> npt.NDArray[np.float32]:
    """Return for each sample the probability that a model gives it which has not seen its fold.

    Without folds, or where a fold leaves only one kind to learn from, the value is not a number.

    Parameters
    ----------
    samples, unit, held_out
        The samples, the unit of each, and the units of each fold.
    fit
        Function that fits a model to samples, and returns its function from features ``(n, c)`` to probabilities.
    """
    found = np.full(len(samples.is_ink), np.nan, np.float32)
    for fold in held_out:
        mine = np.isin(unit, list(fold))
        rest = samples.only(~mine)
        if mine.any() and len(rest.is_ink) and rest.has_both:
            found[mine] = fit(rest)(samples.features[mine])
    return found
