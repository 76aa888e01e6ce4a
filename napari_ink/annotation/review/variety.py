"""Variety of the review queue: regions that differ from all regions before them come earlier.

Several strokes in regions that look alike teach hardly more than one of them. So the next region is the one with the
largest product of its worth and its distance from the regions before it (farthest-first traversal, Gonzalez 1985).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_ink.annotation.review.ranking import RegionScore, rank

FIRST = 64
"""Number of regions that are ordered by variety too; nobody reviews more before the next ranking."""
_LEAST_WEIGHT = 0.25


def varied(scores: Sequence[RegionScore]) -> list[RegionScore]:
    """Return the scores with the most instructive region first, each with its distance from those before it."""
    left = rank(list(scores))
    described = _descriptions(left)
    nearest = np.ones(len(left))
    worth = np.array([score.worth for score in left])
    is_left = np.ones(len(left), bool)
    order: list[RegionScore] = []
    for _ in range(min(FIRST, len(left))):
        gain = np.where(is_left, worth * (_LEAST_WEIGHT + nearest), -1)
        chosen = int(gain.argmax())
        order.append(replace(left[chosen], novelty=float(nearest[chosen]) if order else 0.0))
        is_left[chosen] = False
        nearest = np.minimum(nearest, np.linalg.norm(described - described[chosen], axis=1))
    return order + [left[number] for number in np.flatnonzero(is_left).tolist()]


def _descriptions(scores: Sequence[RegionScore]) -> npt.NDArray[np.float64]:
    """Return descriptions whose distances from each other are at most 1."""
    described: npt.NDArray[np.float64] = np.array([score.description for score in scores], float)
    if not described.size:
        return np.zeros((len(scores), 1))
    described -= described.min(axis=0)
    described /= np.maximum(described.max(axis=0), 1e-9) * np.sqrt(described.shape[1])
    return described
