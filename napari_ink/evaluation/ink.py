"""Scores of ink probabilities against known ink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.typing import Mask

Plane = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]

_LEVELS = 256
_BINS = 15  # as in Guo et al.; each bin has 17 levels
_PIXELS_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class InkScores:
    """Scores of an ink map, 0 to 1.

    Attributes
    ----------
    f0_5
        Best F-score with β = 0.5 (precision counts double) over all thresholds.
    best_threshold
        Threshold at which `f0_5` is reached.
    precision, recall, f1
        Scores at `best_threshold`.
    average_precision
        Area under precision over recall, with a step for each grey level.
    f0_5_at_half
        F0.5 at a threshold of 0.5, which is not chosen with the truth.
    best_f1
        Best F-score with β = 1 over all thresholds.
    best_f1_threshold
        Threshold at which `best_f1` is reached.
    calibration_error
        Difference between a probability and the share of ink among the pixels that have it (Guo et al. 2017): the mean
        over pixels, in 15 bins of equal width. 0 is best.
    brier
        Mean squared difference between probability and truth. 0 is best.
    """

    f0_5: float
    best_threshold: float
    precision: float
    recall: float
    f1: float
    average_precision: float
    f0_5_at_half: float
    best_f1: float
    best_f1_threshold: float
    calibration_error: float
    brier: float


def ink_scores(probability: Plane, truth: Mask, inside: Mask | None = None) -> InkScores:
    """Score an ink map against known ink, with the F0.5 of Kaggle's Vesuvius ink detection challenge.

    Parameters
    ----------
    probability
        Probabilities ``(y, x)``, uint8 of 0 to 255, or floating point of 0 to 1, which is rounded to 255ths.
    truth
        Mask ``(y, x)`` of the known ink.
    inside
        Mask ``(y, x)`` of the pixels that count; None for all.

    Raises
    ------
    ValueError
        If the planes differ in shape, no pixel counts, or the map does not contain probabilities.
    """
    if probability.shape != truth.shape or (inside is not None and inside.shape != truth.shape):
        raise ValueError(f"the planes differ in shape: {probability.shape} and {truth.shape}")
    ink, papyrus = _histograms(probability, truth, inside)
    # At threshold k, all pixels of level k and above count as ink: cumulative sums from the top give exact counts.
    right = ink[::-1].cumsum()[::-1]
    called = right + papyrus[::-1].cumsum()[::-1]
    precision, recall = right / np.maximum(called, 1), right / max(int(ink.sum()), 1)
    f0_5, f1 = f_score(precision, recall, 0.5), f_score(precision, recall, 1.0)
    best, best_f1 = (int(score[1:].argmax()) + 1 for score in (f0_5, f1))  # at level 0 every pixel would count as ink
    steps = -np.diff(np.append(recall, 0.0))
    return InkScores(
        f0_5=float(f0_5[best]),
        best_threshold=best / 255,
        precision=float(precision[best]),
        recall=float(recall[best]),
        f1=float(f1[best]),
        average_precision=float((steps * precision).sum()),
        f0_5_at_half=float(f0_5[128]),
        best_f1=float(f1[best_f1]),
        best_f1_threshold=best_f1 / 255,
        calibration_error=_calibration_error(ink, papyrus),
        brier=_brier(ink, papyrus),
    )


def f1_by_level(probability: Plane, truth: Mask, inside: Mask | None = None) -> npt.NDArray[np.float64]:
    """Return F1 with each of the levels 0 to 255 as the lowest that counts as ink, ``(256,)``; see `ink_scores`.

    Raises
    ------
    ValueError
        If no pixel counts, or the map does not contain probabilities.
    """
    ink, papyrus = _histograms(probability, truth, inside)
    right = ink[::-1].cumsum()[::-1]
    called = right + papyrus[::-1].cumsum()[::-1]
    return f_score(right / np.maximum(called, 1), right / max(int(ink.sum()), 1), 1.0)


def check_probability(plane: Plane) -> None:
    """Refuse values that are not probabilities.

    Raises
    ------
    ValueError
        If the plane is neither uint8 nor bool nor floating point, or holds NaN.
    """
    if plane.dtype != np.uint8 and plane.dtype.kind not in "bf":
        raise ValueError(
            f"{plane.dtype} values are not probabilities; give uint8 of 0 to 255 or floating point of 0 to 1"
        )
    if plane.dtype.kind == "f" and np.isnan(plane).any():
        raise ValueError("a map with NaN in it cannot be scored")


def f_score(precision: Plane, recall: Plane, beta: float) -> npt.NDArray[np.float64]:
    """Return the weighted harmonic mean of precision and recall; 0 where both are 0."""
    bottom = beta**2 * precision + recall
    score: npt.NDArray[np.float64] = (1 + beta**2) * precision * recall / np.where(bottom > 0, bottom, 1)
    return score


def _histograms(probability: Plane, truth: Mask, inside: Mask | None) -> tuple[Counts, Counts]:
    """Return the number of pixels of ink and of papyrus at each of the levels 0 to 255."""
    counts = np.zeros((2, _LEVELS), np.int64)
    for rows in _strips(truth.shape):
        part = probability[rows]
        check_probability(part)
        levels = part if part.dtype == np.uint8 else np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)
        is_ink = truth[rows]
        if inside is not None:
            levels, is_ink = levels[inside[rows]], is_ink[inside[rows]]
        for kind, chosen in enumerate((levels[is_ink], levels[~is_ink])):
            counts[kind] += np.bincount(chosen, minlength=_LEVELS)
    if not counts.any():
        raise ValueError("there is no pixel to score")
    return counts[0], counts[1]


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of a few rows each, since counting takes many times the memory of the counted values."""
    rows = max(_PIXELS_AT_ONCE // max(shape[1], 1), 1)
    yield from (slice(start, start + rows) for start in range(0, max(shape[0], 1), rows))


def _calibration_error(ink: Counts, papyrus: Counts) -> float:
    levels = np.arange(_LEVELS)
    # Bins are open below and closed above, and hold whole levels, as 255 is 15 × 17; so no probability is split.
    bins = np.maximum(-(-levels // (_LEVELS // _BINS)) - 1, 0)
    predicted = np.bincount(bins, (ink + papyrus) * levels / 255, minlength=_BINS)
    true = np.bincount(bins, ink, minlength=_BINS)
    return float(np.abs(predicted - true).sum() / (ink + papyrus).sum())


def _brier(ink: Counts, papyrus: Counts) -> float:
    predicted = np.arange(_LEVELS) / 255
    return float((ink * (1 - predicted) ** 2 + papyrus * predicted**2).sum() / (ink + papyrus).sum())
