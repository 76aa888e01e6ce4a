"""How well a map of ink separates ink from papyrus, with labels and without any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.typing import Mask

Levels = npt.NDArray[np.uint8]

_LEVELS = 256
_LEAST_WITH_LABELS = 10.0
_SURELY_APART = 0.8 * 255
_HALF_TRUSTED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Separation:
    """How well ink stands out.

    Attributes
    ----------
    value
        -255 to 255, the more the better.
    is_clear
        Whether anything can be told by it.
    """

    value: float
    is_clear: bool


def labelled_separation(levels: Levels, ink: Mask) -> Separation:
    """Return by how much the mean level on ink exceeds that on papyrus; 0 where there is but one of them.

    Parameters
    ----------
    levels
        Probabilities of ink as 0 to 255, any shape.
    ink
        Which of them lie on ink; the others lie on papyrus.
    """
    if ink.all() or not ink.any():
        return Separation(0.0, False)
    value = float(levels[ink].mean() - levels[~ink].mean())
    return Separation(value, value >= _LEAST_WITH_LABELS)


def unlabelled_separation(levels: Levels) -> Separation:
    """Return how well a map's pixels fall into two groups, 0 to 255, without knowing which is right.

    The groups are Otsu's (1979), and the value is the distance of their means times the cube of the share of variance
    that they explain. It counts the less, the fewer pixels are in the brighter group: by half at one in a hundred. It
    is clear where the means lie four fifths of the range apart: a model that sees no ink it knows is seldom so sure.
    `docs/decisions/0010-probe.md` has what this was chosen from.
    """
    counts = np.bincount(levels.ravel(), minlength=_LEVELS).astype(np.float64)
    total, scale = max(counts.sum(), 1.0), np.arange(_LEVELS)
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
    return Separation(value, bool(apart[cut] >= _SURELY_APART - 1e-6))  # sums of many levels are not exact
