"""How well a map of ink separates ink from papyrus, with labels and without any."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_LEVELS = 256
_HALF_TRUSTED_SHARE = 0.01


def labelled_separation(levels: Levels, ink: Mask) -> float:
    """Return by how much the mean level on ink exceeds that on papyrus, -255 to 255; 0 where there is but one of them.

    Parameters
    ----------
    levels
        Probabilities of ink as 0 to 255, any shape.
    ink
        Which of them lie on ink; the others lie on papyrus.
    """
    if ink.all() or not ink.any():
        return 0.0
    return float(levels[ink].mean() - levels[~ink].mean())


def unlabelled_separation(levels: Levels) -> float:
    """Return how far apart a map's pixels fall into two groups, 0 to 255, without knowing which is right.

    The groups are Otsu's (1979); the distance of their means counts the less, the fewer pixels are in the brighter one:
    by half at one in a hundred. Where a model is lost its map is flat, or has but a few bright spots.
    `docs/decisions/0010-probe.md` has what it was chosen from.
    """
    counts = np.bincount(levels.ravel(), minlength=_LEVELS).astype(np.float64)
    below = counts.cumsum()[:-1]
    sum_below = (counts * np.arange(_LEVELS)).cumsum()
    above, sum_above = counts.sum() - below, sum_below[-1] - sum_below[:-1]
    distance = sum_above / np.maximum(above, 1) - sum_below[:-1] / np.maximum(below, 1)
    cut = int((below * above * distance**2).argmax())
    share = above[cut] / max(counts.sum(), 1)
    return float(distance[cut] * share / (share + _HALF_TRUSTED_SHARE)) if below[cut] else 0.0
