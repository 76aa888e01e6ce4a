"""What strokes teach at once: a forest and a linear head on the features of a frozen network, blended with its own ink.

The linear head learns in whitened features: their covariance is that of all cells near strokes, labelled or not, so
that a few strokes need not show which features vary together everywhere (Fisher's discriminant with a pooled
covariance). It is a good guess where a forest has seen too little, and the two err in different places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit

from napari_ink.model.forest import Forest
from napari_ink.model.linear_head import MOST_DEVIATIONS, LinearHead
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.model.taught_network import LEAST, TaughtNetwork, smoothed_probability, with_linear
from napari_ink.region import Region
from napari_ink.training.teaching.blocks import Block, block_region, blocks_of
from napari_ink.training.teaching.features import MARGIN, FeatureCache
from napari_ink.training.teaching.samples import Samples
from napari_ink.training.teaching.stroke_forest import enlarged, fit_forest, ink_probability, some_samples
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

BLEND = 0.85
"""Weight of what strokes taught against the network's own ink.

Held-out strokes cannot choose it: people paint where the map is wrong, so that there every map looks bad
(docs/decisions/0033-teaching.md).
"""
SMOOTHING = 1.5
"""Sigma of the Gaussian that smooths maps, in cells."""
_MOST_CELLS = 12_000
_RIDGE = 0.05  # of the variance of a standardised feature; directions that vary less are not blown up any further
_STRENGTH = 0.003  # inverse of the penalty on the weights
_ITERATIONS = 100
_LEAST_SCALE = 1e-6

Rows = npt.NDArray[np.float16]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Whitening:
    """Mean, scale and covariance of features, labelled or not.

    Attributes
    ----------
    mean, scale
        Mean and standard deviation of each feature ``(c,)``.
    turn
        Matrix ``(c, c)`` that maps standardised features to uncorrelated ones of about the same variance.
    """

    mean: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    turn: npt.NDArray[np.float32]

    @classmethod
    def of(cls, rows: Rows) -> Whitening:
        """Return the whitening of features ``(n, c)``."""
        wide = rows.astype(np.float32)
        mean, scale = wide.mean(axis=0), np.maximum(wide.std(axis=0), _LEAST_SCALE)
        standardised = np.clip((wide - mean) / scale, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        covariance = standardised.T @ standardised / len(standardised)
        variances, axes = np.linalg.eigh(covariance)
        return cls(mean, scale, (axes / np.sqrt(np.maximum(variances, 0) + _RIDGE)).astype(np.float32))

    def whitened(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return features ``(n, c)`` without their correlations."""
        standardised = (rows.astype(np.float32) - self.mean) / self.scale
        found: npt.NDArray[np.float32] = np.clip(standardised, -MOST_DEVIATIONS, MOST_DEVIATIONS) @ self.turn
        return found


def whitening_near(places: Sequence[tuple[FeatureCache, Block]]) -> Whitening:
    """Return the whitening of the cells of blocks, of which about `_MOST_CELLS` are used, spread evenly.

    Raises
    ------
    StackError
        If a stack cannot be read there.
    """
    # By the number of blocks, so that the features of one block at a time suffice.
    each = max(1, _MOST_CELLS // len(places))
    parts = []
    for cache, block in places:
        features = cache.block(block)
        rows = features.reshape(len(features), -1)
        parts.append(rows[:, :: max(1, rows.shape[1] // each)].T)
    return Whitening.of(np.concatenate(parts))


def fit_linear(samples: Samples, whitening: Whitening, seed: int = 0) -> LinearHead:
    """Fit a linear head; ink and papyrus have the same weight, however much of each is labelled."""
    from sklearn.linear_model import LogisticRegression

    some = some_samples(samples, seed)
    model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=_ITERATIONS)
    model.fit(whitening.whitened(some.features), some.is_ink)
    weight = (whitening.turn @ model.coef_[0]).astype(np.float32)
    return LinearHead(
        mean=torch.from_numpy(whitening.mean),
        scale=torch.from_numpy(whitening.scale),
        weight=torch.from_numpy(weight),
        bias=torch.tensor(float(model.intercept_[0]), dtype=torch.float32),
        smoothing=torch.tensor(SMOOTHING),
    )


@dataclass(frozen=True, eq=False)
class StrokeHead:
    """A forest and a linear head that were fitted to the same samples.

    Attributes
    ----------
    forest, linear
        The two.
    ink_logit
        Number of the feature that is the network's own logit of ink.
    """

    forest: ExtraTreesClassifier
    linear: LinearHead
    ink_logit: int

    @classmethod
    def fit(cls, samples: Samples, whitening: Whitening, ink_logit: int, seed: int = 0, cores: int = 1) -> StrokeHead:
        """Fit both; the same samples and seed give the same, whatever the number of cores.

        Raises
        ------
        BadInputError
            If scikit-learn is not installed, or there are no samples of ink or none of papyrus.
        """
        return cls(fit_forest(samples, seed, cores), fit_linear(samples, whitening, seed), ink_logit)

    def probability(self, rows: Rows) -> Probabilities:
        """Return the probability of ink ``(n,)`` for features ``(n, c)``, blended with the network's own."""
        return blended(self._taught(rows), self._own(rows), BLEND)

    def cells(self, cache: FeatureCache, block: Block) -> Probabilities:
        """Return the probability of ink ``(y/4, x/4)`` in a block, smoothed.

        Raises
        ------
        StackError
            If the stack cannot be read there.
        """
        return self.cells_of(cache.wide_block(block))

    def cells_of(self, features: Rows) -> Probabilities:
        """Return the smoothed probability of ink ``(y/4, x/4)`` for features with `MARGIN` more cells on each side."""
        rows = features.reshape(len(features), -1).T
        taught, own = (plane.reshape(features.shape[1:]) for plane in (self._taught(rows), self._own(rows)))
        smooth = smoothed_probability(torch.from_numpy(taught), SMOOTHING).numpy()
        return blended(smooth, own, BLEND)[MARGIN:-MARGIN, MARGIN:-MARGIN]

    def _taught(self, rows: Rows) -> Probabilities:
        """Return the probabilities of the forest and the linear head."""
        forest = torch.from_numpy(ink_probability(self.forest, rows))
        return with_linear(forest, self.linear(torch.from_numpy(rows.astype(np.float32)))).numpy()

    def _own(self, rows: Rows) -> Probabilities:
        """Return the network's own probabilities."""
        found: Probabilities = expit(rows[:, self.ink_logit].astype(np.float32))
        return found

    def area(self, cache: FeatureCache, area: Region) -> UInt8Array:
        """Return the probability of ink ``(y, x)`` in a region, uint8 with 255 for 1.

        Raises
        ------
        StackError
            If the stack cannot be read there.
        """
        return predict_area(lambda block: self.cells(cache, block), cache.shape, area)

    def on(self, network: InkEdgeNetwork) -> TaughtNetwork:
        """Return the network whose features the samples are of, with this head."""
        return TaughtNetwork(network, Forest.of_scikit_learn(self.forest, BLEND), self.linear).eval()


def blended(
    forest: npt.NDArray[np.floating], network: npt.NDArray[np.floating], blend: float
) -> npt.NDArray[np.float32]:
    """Return the probabilities whose logits are the weighted means of two others'."""
    of_forest, of_network = (logit(np.clip(one, LEAST, 1 - LEAST)) for one in (forest, network))
    found: npt.NDArray[np.float32] = expit(blend * of_forest + (1 - blend) * of_network).astype(np.float32)
    return found


def predict_area(cells: Callable[[Block], Probabilities], shape: tuple[int, int], area: Region) -> UInt8Array:
    """Return probabilities ``(y, x)`` in a region, uint8 with 255 for 1, from those of the cells of each block.

    Parameters
    ----------
    cells
        Function that returns the probabilities of a block's cells.
    shape
        Height and width of the segment.
    area
        The region.
    """
    blocks = blocks_of(area)
    outer = block_region(blocks[0], shape).joined(block_region(blocks[-1], shape))
    plane = np.empty((-(-outer.height // STEP_PX), -(-outer.width // STEP_PX)), np.float32)
    for block in blocks:
        place, found = block_region(block, shape), cells(block)
        row, column = (place.y0 - outer.y0) // STEP_PX, (place.x0 - outer.x0) // STEP_PX
        plane[row : row + found.shape[0], column : column + found.shape[1]] = found
    return enlarged(plane)[area.slices_in(outer)]
