"""The live head: a forest on a frozen network's features, fitted to all strokes so far within a second or two.

Random forests on filter banks are how ilastik learns from strokes (Sommer et al. 2011). Extremely randomised trees
(Geurts et al. 2006) score the same here and are fitted faster.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.errors import BadInputError
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.region import Region
from napari_ink.training.teaching.features import (
    BLOCK_PX,
    Block,
    FeatureCache,
    block_region,
    blocks_of,
)
from napari_ink.typing import UInt8Array

# Reviewed areas hold far more cells than strokes; with so many, a fit still keeps up with a person.
MOST_SAMPLES = 12_000
_TREES = 100
# A cell of which less than half is labelled shows mostly what lies beside the stroke.
_LEAST_LABELLED = STEP_PX * STEP_PX // 2
# docs/decisions/0033-teaching.md has the scores with twice the share, and with single samples in leaves.
_SHARE_OF_FEATURES = 0.1
_LEAST_IN_LEAF = 3

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

ReadLabels = Callable[[Region], UInt8Array]


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled cells of `STEP_PX` pixels.

    Attributes
    ----------
    features
        float16 ``(n, c)``.
    is_ink
        bool ``(n,)``; the others are papyrus.
    places
        Row and column of each cell, in cells, int32 ``(n, 2)``.
    """

    features: npt.NDArray[np.float16]
    is_ink: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int32]

    @property
    def has_both(self) -> bool:
        """Whether there are samples of ink and of papyrus, as a forest needs."""
        return bool(self.is_ink.any()) and not bool(self.is_ink.all())

    def only(self, which: npt.NDArray[np.bool_]) -> Samples:
        """Return a part of the samples."""
        return Samples(self.features[which], self.is_ink[which], self.places[which])

    @staticmethod
    def joined(parts: Sequence[Samples]) -> Samples:
        """Return all samples of several parts."""
        return Samples(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.is_ink for part in parts]),
            np.concatenate([part.places for part in parts]),
        )


class StrokeSampler:
    """Collects the features under the labels of a segment; only blocks whose labels changed are read again.

    Parameters
    ----------
    cache
        Features of the stack.
    labels
        Reads label values ``(y, x)`` of a region.
    """

    def __init__(self, cache: FeatureCache, labels: ReadLabels) -> None:
        self._cache, self._labels = cache, labels
        self._known: dict[Block, tuple[int, Samples | None]] = {}

    def collect(self, blocks: Iterable[Block], stop: Callable[[], bool] = lambda: False) -> Samples | None:
        """Return the samples of these blocks; None without any labelled cell in them, or once `stop` is true."""
        found = []
        for block in sorted(blocks):
            if stop():
                return None
            part = self._of_block(block)
            if part is not None:
                found.append(part)
        return Samples.joined(found) if found else None

    def _of_block(self, block: Block) -> Samples | None:
        labels = self._labels(block_region(block, self._cache.shape))
        # The labels are read through a function that cannot say what changed, so their checksum does.
        check = zlib.crc32(np.ascontiguousarray(labels).data)
        if block not in self._known or self._known[block][0] != check:
            self._known[block] = check, self._read(block, labels)
        return self._known[block][1]

    def _read(self, block: Block, labels: UInt8Array) -> Samples | None:
        ink, papyrus = _cell_counts(labels == LabelValue.INK), _cell_counts(labels == LabelValue.PAPYRUS)
        rows, columns = np.nonzero(ink + papyrus >= _LEAST_LABELLED)
        if not len(rows):
            return None
        features = self._cache.block(block)[:, rows, columns].T
        side = BLOCK_PX // STEP_PX
        places = np.stack([rows + block[0] * side, columns + block[1] * side], axis=1).astype(np.int32)
        return Samples(np.ascontiguousarray(features), (ink > papyrus)[rows, columns], places)


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

    some = samples.only(_spread(samples, seed))
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


def predict_area(forest: ExtraTreesClassifier, cache: FeatureCache, area: Region) -> UInt8Array:
    """Return the probability of ink ``(y, x)`` in a region, uint8 with 255 for 1.

    Raises
    ------
    StackError
        If the stack cannot be read there.
    """
    blocks, shape = blocks_of(area), cache.shape
    outer = block_region(blocks[0], shape).joined(block_region(blocks[-1], shape))
    cells = np.empty((-(-outer.height // STEP_PX), -(-outer.width // STEP_PX)), np.float32)
    for block in blocks:
        features = cache.block(block)
        place = block_region(block, shape)
        row, column = (place.y0 - outer.y0) // STEP_PX, (place.x0 - outer.x0) // STEP_PX
        size = features.shape[1:]
        found = ink_probability(forest, features.reshape(len(features), -1).T)
        cells[row : row + size[0], column : column + size[1]] = found.reshape(size)
    return enlarged(cells)[area.slices_in(outer)]


def enlarged(cells: npt.NDArray[np.float32]) -> UInt8Array:
    """Return cells interpolated to pixels, uint8."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    fine = F.interpolate(torch.from_numpy(cells)[None, None], scale_factor=STEP_PX, mode="bilinear")
    pixels: UInt8Array = (fine[0, 0] * 255).round().to(torch.uint8).numpy()
    return pixels


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


def _cell_counts(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], STEP_PX), axis=0, dtype=np.int64)
    counts: npt.NDArray[np.int64] = np.add.reduceat(rows, np.arange(0, plane.shape[1], STEP_PX), axis=1)
    return counts
