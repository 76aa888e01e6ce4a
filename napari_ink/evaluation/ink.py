"""How well probabilities of ink match known ink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_LEVELS = 256


@dataclass(frozen=True, slots=True)
class InkScores:
    """Scores of an ink map, 0 to 1.

    Attributes
    ----------
    f0_5
        F-score with β = 0.5 (precision counts double), at the threshold that makes it highest.
    best_threshold
        That threshold.
    precision, recall, f1
        At that threshold.
    average_precision
        Area under precision over recall, one step a grey level.
    f0_5_at_half
        The F0.5 at a threshold of one half, which looks at no truth.
    """

    f0_5: float
    best_threshold: float
    precision: float
    recall: float
    f1: float
    average_precision: float
    f0_5_at_half: float


def ink_scores(
    probability: npt.NDArray[Any], truth: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_] | None = None
) -> InkScores:
    """Score an ink map against known ink, with the F0.5 of Kaggle's Vesuvius ink detection challenge.

    Parameters
    ----------
    probability
        ``(y, x)``; uint8 of 0 to 255, or floating point of 0 to 1, which is rounded to 255ths.
    truth
        Where there is ink, ``(y, x)``.
    inside
        Where to count, ``(y, x)``; everywhere when None.

    Raises
    ------
    ValueError
        If the planes differ in shape, there is nothing inside, or the map holds no probabilities.
    """
    check_probability(probability)
    if probability.shape != truth.shape or (inside is not None and inside.shape != truth.shape):
        raise ValueError(f"planes differ in shape: {probability.shape} and {truth.shape}")
    levels = (
        probability if probability.dtype == np.uint8 else np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8)
    )
    if inside is not None:
        levels, truth = levels[inside], truth[inside]
    if levels.size == 0:
        raise ValueError("there is no pixel to score")
    # At threshold k, everything of level k and above is called ink: cumulative sums from the top count it exactly.
    ink = np.bincount(levels[truth].ravel(), minlength=_LEVELS)[::-1].cumsum()[::-1]
    called = np.bincount(levels.ravel(), minlength=_LEVELS)[::-1].cumsum()[::-1]
    precision = ink / np.maximum(called, 1)
    recall = ink / max(int(truth.sum()), 1)
    f0_5 = f_score(precision, recall, 0.5)
    best = int(f0_5[1:].argmax()) + 1  # level 0 would call everything ink
    steps = -np.diff(np.append(recall, 0.0))
    return InkScores(
        f0_5=float(f0_5[best]),
        best_threshold=best / 255,
        precision=float(precision[best]),
        recall=float(recall[best]),
        f1=float(f_score(precision, recall, 1.0)[best]),
        average_precision=float((steps * precision).sum()),
        f0_5_at_half=float(f0_5[128]),
    )


def check_probability(plane: npt.NDArray[Any]) -> None:
    """Refuse what would be scored as something else.

    Raises
    ------
    ValueError
        If the plane is neither uint8 nor bool nor floating point, or holds NaN.
    """
    if plane.dtype != np.uint8 and plane.dtype.kind not in "bf":
        raise ValueError(
            f"{plane.dtype} values are no probabilities: uint8 of 0 to 255 or floating point of 0 to 1 are"
        )
    if plane.dtype.kind == "f" and np.isnan(plane).any():
        raise ValueError("a map with NaN in it cannot be scored")


def f_score(precision: npt.NDArray[Any], recall: npt.NDArray[Any], beta: float) -> npt.NDArray[np.float64]:
    """Return the weighted harmonic mean of precision and recall; 0 where both are 0."""
    bottom = beta**2 * precision + recall
    score: npt.NDArray[np.float64] = (1 + beta**2) * precision * recall / np.where(bottom > 0, bottom, 1)
    return score
