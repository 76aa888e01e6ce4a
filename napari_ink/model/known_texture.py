"""The texture of what a model was trained on, and how far places of a stack lie outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

Figures = npt.NDArray[np.float64]

# What lies within the largest hundredth of the distances in training is rare; a little more is outside.
_SHARE_INSIDE, _MARGIN = 0.99, 1.15
_LEAST_PLACES_PER_FIGURE = 5
# Saturation differs with the format and the scanner, even if no training stack is saturated.
_LEAST_DEVIATION, _LEAST_DEVIATIONS = 1e-3, {"saturation": 0.08}
_MOST_FIGURES = 64
_WORDS = {
    "grain": ("coarser grain", "finer grain"),
    "texture": ("coarser texture", "finer texture"),
    "coarse texture": ("larger patches", "smaller patches"),
    "layers": ("layers more alike", "layers less alike"),
    "brightness": ("brighter", "darker"),
    "contrast": ("more contrast", "less contrast"),
    "evenness": ("layers of more even brightness", "layers of differing brightness"),
    "saturation": ("saturated", "less saturated"),
}


class KnownTexture(BaseModel):
    """The distribution of figures of texture among places of the training stacks.

    The distance of a place is that of Mahalanobis, since figures depend on each other: places with coarse grain have a
    coarse texture, and fine ones of either kind are usual where both together are not.

    Attributes
    ----------
    figures
        Names of the figures.
    mean
        Mean of each.
    covariance
        Covariance of each two.
    limit
        Distance beyond which a place lies outside.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    figures: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    limit: float

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse what no training gives, as in a damaged file."""
        sizes = {len(self.figures), len(self.mean), len(self.covariance), *map(len, self.covariance)}
        if len(sizes) != 1 or self.limit <= 0 or not 0 < len(self.figures) <= _MOST_FIGURES:
            raise ValueError("the numbers of figures differ")
        if np.linalg.eigvalsh(np.asarray(self.covariance)).min() <= 0:
            raise ValueError("the covariance is not that of any figures")
        return self

    @classmethod
    def of_places(cls, names: Sequence[str], figures: Figures) -> Self | None:
        """Return the distribution of figures ``(n, figures)``; None if too few places, or all alike, tell nothing."""
        if len(figures) < _LEAST_PLACES_PER_FIGURE * len(names):
            return None
        least = np.array([_LEAST_DEVIATIONS.get(name, _LEAST_DEVIATION) for name in names])
        covariance = np.cov(figures.T) + np.diag(least**2)
        rows = tuple(tuple(round(value, 7) for value in row) for row in covariance.tolist())
        mean = tuple(round(value, 4) for value in figures.mean(axis=0).tolist())
        found = cls(figures=tuple(names), mean=mean, covariance=rows, limit=1.0)
        limit = round(_MARGIN * float(np.quantile(found.distances(figures), _SHARE_INSIDE)), 3)
        return found.model_copy(update={"limit": limit}) if limit > 0 else None

    def distances(self, figures: Figures) -> Figures:
        """Return how far places ``(n, figures)`` lie from the mean, 1 at the limit; NaN where they are NaN."""
        apart = figures - np.asarray(self.mean)
        weighted = apart @ np.linalg.inv(np.asarray(self.covariance))
        distances: Figures = np.sqrt((apart * weighted).sum(axis=1)) / self.limit
        return distances

    def differs_by(self, figures: Figures) -> str:
        """Return in words by which figure places ``(n, figures)`` differ most often."""
        apart = (figures - np.asarray(self.mean)) / np.sqrt(np.diag(np.asarray(self.covariance)))
        largest = np.abs(apart).argmax(axis=1)
        name = int(np.bincount(largest).argmax())
        more, less = _WORDS.get(self.figures[name], (self.figures[name], self.figures[name]))
        return more if np.median(apart[largest == name, name]) > 0 else less


def nearest(known: Sequence[KnownTexture], figures: Figures) -> tuple[Figures, KnownTexture]:
    """Return the distance of each place to the nearest of several distributions, and the one nearest to most places."""
    distances = np.stack([one.distances(figures) for one in known])
    each = np.where(np.isnan(distances), np.inf, distances).argmin(axis=0)
    return distances[each, np.arange(len(each))], known[int(np.bincount(each, minlength=1).argmax())]
