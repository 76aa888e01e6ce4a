"""The forest on a frozen network's features, fitted to all strokes so far within a second or two.

Random forests on filter banks are how ilastik learns from strokes (Sommer et al. 2011). Extremely randomised trees
(Geurts et al. 2006) score the same here and are fitted faster.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.training.teaching.samples import Samples
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

# Reviewed areas hold far more cells than strokes; with so many, a fit still keeps up with a person.
MOST_SAMPLES = 12_000
_TREES = 100
# docs/decisions/0033-teaching.md has the scores with twice the share, and with single samples in leaves.
_SHARE_OF_FEATURES = 0.1
_LEAST_IN_LEAF = 3


def check_installed() -> None:
    """Refuse to learn without scikit-learn.

    Raises
    ------
    BadInputError
        If it is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise BadInputError("Learning needs scikit-learn, which is not installed: pip install 'napari-ink[train]'.")


def fit_forest(samples: Samples, seed: int = 0, cores: int = 1, trees: int = _TREES) -> ExtraTreesClassifier:
    """Fit a forest of scikit-learn; the same samples and seed give the same forest, whatever the number of cores.

    Ink and papyrus have the same weight, however much of each is labelled.

    Raises
    ------
    BadInputError
        If scikit-learn is not installed, or there are no samples of ink or none of papyrus.
    """
    check_installed()
    if not samples.has_both:
        raise BadInputError("There is nothing to tell apart yet; paint some ink and some papyrus.")
    from sklearn.ensemble import ExtraTreesClassifier

    some = some_samples(samples, seed)
    forest = ExtraTreesClassifier(
        trees,
        max_features=_SHARE_OF_FEATURES,
        min_samples_leaf=_LEAST_IN_LEAF,
        class_weight="balanced",
        n_jobs=cores,
        random_state=seed,
    )
    return forest.fit(some.features.astype(np.float32), some.is_ink)


def ink_probability(forest: ExtraTreesClassifier, rows: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Return the probability of ink ``(n,)`` for features ``(n, c)``."""
    found: npt.NDArray[np.float32] = forest.predict_proba(rows.astype(np.float32))[:, 1].astype(np.float32)
    return found


def enlarged(cells: npt.NDArray[np.float32]) -> UInt8Array:
    """Return cells interpolated to pixels, uint8."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    fine = F.interpolate(torch.from_numpy(cells)[None, None], scale_factor=STEP_PX, mode="bilinear")
    pixels: UInt8Array = (fine[0, 0] * 255).round().to(torch.uint8).numpy()
    return pixels


def some_samples(samples: Samples, seed: int) -> Samples:
    """Return the samples to learn from: all of them, or a random part with up to half of each kind."""
    return samples.only(_spread(samples, seed))


def _spread(samples: Samples, seed: int) -> npt.NDArray[np.bool_]:
    """Return which samples to use: all of them, or a random part with up to half of each kind."""
    chosen = np.zeros(len(samples.is_ink), bool)
    for kind in (samples.is_ink, ~samples.is_ink):
        numbers = np.flatnonzero(kind)
        rng = np.random.default_rng(seed)
        most = min(len(numbers), MOST_SAMPLES // 2)
        # Sampled by kind, so that a reviewed area of papyrus cannot crowd out a few strokes of ink.
        chosen[rng.choice(numbers, most, replace=False) if most < len(numbers) else numbers] = True
    return chosen
