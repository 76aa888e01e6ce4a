"""Live teaching: after each stroke a forest learns from all strokes so far, and predicts the visible region."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from napari_ink.model import InkModel
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.training.teaching.blocks import BLOCK_PX, Block, block_region, blocks_of
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.training.teaching.judging import blended, choose_blend, cross_validate, fold_of, scores_by_fold
from napari_ink.training.teaching.samples import ReadLabels, Samples, StrokeSampler
from napari_ink.training.teaching.stroke_forest import enlarged, fit_forest, ink_probability
from napari_ink.training.teaching.teach import adapted, without_lessons
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

# The features of so many blocks stay in the cache beside those of the visible region.
MOST_LABELLED_BLOCKS = 64
_SQUARE_PX = 128
_FOLDS = 3
_SHIFT = 0.5  # of a logit: 0.12 of a probability near 0.5


@dataclass(frozen=True, slots=True)
class StrokesRead:
    """The features under the labels of `done` of `total` blocks are there."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ForestFitted:
    """A forest knows all strokes so far: its number, which rises with each new forest and each new blend of it."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class BlockAnswered:
    """The probability of ink ``(y, x)``, uint8 with 255 for 1, in the region of one block."""

    block: Block
    region: Region
    ink: UInt8Array


@dataclass(frozen=True, slots=True)
class AreaAnswered:
    """All blocks of the area have been predicted; a better blend may follow."""


@dataclass(frozen=True, slots=True)
class LiveNote:
    """Sentence for the user."""

    text: str


LiveEvent = StrokesRead | ForestFitted | BlockAnswered | AreaAnswered | LiveNote


class LiveHead:
    """Forest that learns again after each stroke; features are computed once.

    The answer is the blend of the forest with its network that squares of strokes prefer which the forest has not seen,
    shifted such that the best threshold there is a probability of 0.5. Both are chosen once the answer is there, and
    used for the next ones, too.

    Its methods may be called on several threads, of which one works at a time.

    Parameters
    ----------
    model
        Start model; a forest that it was taught is left out, and its contract is fitted to the stack's grey values.
    stack
        Stack to predict.
    labels
        Function that reads the label values ``(y, x)`` of a region.
    cores
        Processor cores to use.

    Raises
    ------
    BadInputError
        If the model is no network of napari-ink.
    ContractError
        If the stack has too few layers for the model.
    """

    def __init__(self, model: InkModel, stack: DepthStack, labels: ReadLabels, cores: int = 1) -> None:
        start, self.note = adapted(without_lessons(model), stack)
        self._cache = FeatureCache(start, stack)
        self._sampler = StrokeSampler(self._cache, labels)
        self._cores = cores
        self._lock = threading.Lock()
        self._forest: ExtraTreesClassifier | None = None
        self._learned = self._blended = -1
        self._number = self._calls = 0
        self._blend, self._threshold = 1.0, 0.5

    def answer(
        self, labelled: Iterable[Block], area: Region, answered: Set[Block] = frozenset()
    ) -> Iterator[LiveEvent]:
        """Learn from all labels, and predict the blocks of an area, from its middle outwards.

        Parameters
        ----------
        labelled
            Blocks with labels; those nearest to the area are used.
        area
            Region to predict.
        answered
            Blocks that have been predicted with the latest forest already, and need not be again unless labels changed.

        Raises
        ------
        BadInputError
            If scikit-learn is not installed.
        StackError
            If the stack cannot be read there.
        """
        blocks = _nearest(labelled, area, MOST_LABELLED_BLOCKS)
        for done, block in enumerate(blocks, 1):
            with self._lock:
                self._sampler.collect([block])
            yield StrokesRead(done, len(blocks))
        with self._lock:
            samples = self._sampler.collect(blocks)
        if samples is None or not samples.has_both:
            yield LiveNote("Live needs both: paint some ink and some papyrus, in strokes of at least 4 pixels.")
            return
        self._calls += 1
        call, before = self._calls, self._number
        with self._lock:
            forest = self._fit(samples)
        yield ForestFitted(self._number)
        missing = [block for block in blocks_of(area) if before != self._number or block not in answered]
        yield from self._predicted(forest, _nearest(missing, area))
        yield AreaAnswered()
        # Only now, since the blend takes another fit for each fold, and a newer stroke makes it useless.
        if self._find_blend(samples, lambda: call != self._calls):
            yield ForestFitted(self._number)
            yield from self._predicted(forest, _nearest(blocks_of(area), area))

    def _predicted(self, forest: ExtraTreesClassifier, blocks: Iterable[Block]) -> Iterator[BlockAnswered]:
        for block in blocks:
            region = block_region(block, self._cache.shape)
            with self._lock:
                features = self._cache.block(block)
            rows = features.reshape(len(features), -1).T
            found = ink_probability(forest, rows)
            if self._blend < 1:
                found = blended(found, self._of_network(rows), self._blend)
            yield BlockAnswered(
                block, region, enlarged(found.reshape(features.shape[1:]))[: region.height, : region.width]
            )

    def _find_blend(self, samples: Samples, stop: Callable[[], bool]) -> bool:
        """Choose the blend for the samples of the last forest; return whether it is another one."""
        if self._blended == self._learned:
            return False
        learned = self._learned
        # Squares instead of strokes, which would have to be found in the whole segment; a stroke may lie in two folds.
        squares = np.unique(samples.places * STEP_PX // _SQUARE_PX, axis=0, return_inverse=True)[1].ravel()
        unit = squares.astype(np.int32)
        order = np.random.default_rng(0).permutation(int(unit.max()) + 1)
        folds = [order[first::_FOLDS].tolist() for first in range(_FOLDS)]
        unseen = cross_validate(samples, unit, folds, cores=self._cores, stop=stop)
        if stop():
            return False
        own, fold = self._of_network(samples.features), fold_of(unit, folds)
        blend = choose_blend(unseen, own, samples.is_ink, fold)
        found = scores_by_fold(blended(unseen, own, blend), samples.is_ink, fold)
        threshold = 0.5 if found is None else found.threshold
        self._blended = learned
        # A small shift of the threshold is not worth another answer.
        is_new = blend != self._blend or abs(logit(threshold) - logit(self._threshold)) > _SHIFT
        if is_new:
            self._blend, self._threshold, self._number = blend, threshold, self._number + 1
        return is_new

    def _of_network(self, rows: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = expit(rows[:, self._cache.ink_logit].astype(np.float32))
        return found

    def _fit(self, samples: Samples) -> ExtraTreesClassifier:
        """Fit a forest, unless the samples are those of the last one."""
        digest = zlib.crc32(np.ascontiguousarray(samples.is_ink).data, zlib.crc32(samples.places.data))
        if self._forest is None or digest != self._learned:
            self._forest = fit_forest(samples, cores=self._cores)
            self._learned, self._number = digest, self._number + 1
        return self._forest


def _nearest(blocks: Iterable[Block], area: Region, most: int | None = None) -> list[Block]:
    """Return blocks by their distance from the middle of an area."""
    y, x = (area.y0 + area.y1) / 2 / BLOCK_PX - 0.5, (area.x0 + area.x1) / 2 / BLOCK_PX - 0.5
    return sorted(blocks, key=lambda block: ((block[0] - y) ** 2 + (block[1] - x) ** 2, block))[:most]
