"""The separation of ink and papyrus in a map of ink, with labels and without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.typing import Mask

Levels = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64] | npt.NDArray[np.intp]
"""Number of pixels of each level, ``(256,)``."""

LEVELS = 256
"""Number of levels of a map."""

# Chosen on samples with known ink: see docs/decisions/0010-probe.md.
_LEAST_WITH_LABELS = 10.0
_SURELY_APART = 0.8 * 255
_HALF_TRUSTED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Separation:
    """A measure of how well ink stands out.

    Attributes
    ----------
    value
        -255 to 255; higher is better.
    is_clear
        Whether the value is high enough to draw conclusions.
    """

    value: float
    is_clear: bool


def labelled_separation(levels: Levels, ink: Mask) -> Separation:
    """Return the difference of the mean levels on ink and on papyrus; 0 if there is only one of them.

    Parameters
    ----------
    levels
        Probabilities of ink as uint8 with 255 for 1, any shape.
    ink
        Labels of the same shape, True for ink and False for papyrus.
    """
    if ink.all() or not ink.any():
        return Separation(0.0, False)
    return separation_of_labelled(_counted(levels[~ink]), _counted(levels[ink]))


def separation_of_labelled(papyrus: Counts, ink: Counts) -> Separation:
    """Return what `labelled_separation` does, of the counts of levels on papyrus and on ink."""
    if not papyrus.any() or not ink.any():
        return Separation(0.0, False)
    scale = np.arange(LEVELS)
    value = float((ink * scale).sum() / ink.sum() - (papyrus * scale).sum() / papyrus.sum())
    return Separation(value, value >= _LEAST_WITH_LABELS)


def _counted(levels: Levels) -> Counts:
    return np.bincount(levels.ravel(), minlength=LEVELS)


def unlabelled_separation(levels: Levels) -> Separation:
    """Return how well the pixels of a map fall into two groups, 0 to 255, without labels.

    The groups are those of Otsu's threshold ("A threshold selection method from gray-level histograms", 1979). The
    value is the distance of their means times the cube of the share of the variance that they explain. It is reduced if
    the brighter group is small: to half if it has one pixel in a hundred. It is clear if the means are four fifths of
    the range apart: a model that recognises no ink is seldom so sure. `docs/decisions/0010-probe.md` compares measures.
    """
    return separation_of_counts(_counted(levels))


def separation_of_counts(levels: Counts) -> Separation:
    """Return what `unlabelled_separation` does, of the counts of levels.

    So the work does not grow with the number of candidate thresholds.
    """
    counts = levels.astype(np.float64)
    total, scale = max(counts.sum(), 1.0), np.arange(LEVELS)
    below = counts.cumsum()[:-1] / total
    sum_below = (counts * scale).cumsum()[:-1] / total
    mean = float((counts * scale).sum() / total)
    apart = (mean - sum_below) / np.maximum(1 - below, 1 / total) - sum_below / np.maximum(below, 1 / total)
    between = below * (1 - below) * apart**2
    cut = int(between.argmax())
    variance = float((counts * (scale - mean) ** 2).sum() / total)
    if variance == 0:
        return Separation(0.0, False)
    few = (1 - below[cut]) / (1 - below[cut] + _HALF_TRUSTED_SHARE)
    value = float(apart[cut] * few * (between[cut] / variance) ** 3)
    return Separation(value, bool(apart[cut] >= _SURELY_APART - 1e-6))  # tolerance for rounding errors in the sums
