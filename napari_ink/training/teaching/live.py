"""Live teaching: after each stroke a head learns from all strokes so far, and predicts the visible region."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

import numpy as np

from napari_ink.model import InkModel
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.training.teaching.blocks import BLOCK_PX, Block, block_region, blocks_of
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.training.teaching.samples import ReadLabels, Samples, StrokeSampler
from napari_ink.training.teaching.stroke_forest import enlarged
from napari_ink.training.teaching.stroke_head import StrokeHead, Whitening, whitening_near
from napari_ink.training.teaching.teach import adapted, without_lessons
from napari_ink.typing import UInt8Array

# The features of so many blocks stay in the cache of 512 MiB beside those of the largest region that is predicted, 49
# blocks; with more, each stroke would compute some of them again.
MOST_LABELLED_BLOCKS = 56


@dataclass(frozen=True, slots=True)
class StrokesRead:
    """The features under the labels of `done` of `total` blocks are there."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class HeadFitted:
    """A head knows all strokes so far: its number, which rises with each new one."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class BlockAnswered:
    """The probability of ink ``(y, x)``, uint8 with 255 for 1, in the region of one block."""

    block: Block
    region: Region
    ink: UInt8Array


@dataclass(frozen=True, slots=True)
class AreaAnswered:
    """All blocks of the area have been predicted."""


@dataclass(frozen=True, slots=True)
class LiveNote:
    """Sentence for the user."""

    text: str


LiveEvent = StrokesRead | HeadFitted | BlockAnswered | AreaAnswered | LiveNote


class LiveHead:
    """Head that learns again after each stroke; features are computed once.

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
        self._head: StrokeHead | None = None
        self._learned = -1
        self._number = 0
        self._whitened: tuple[list[Block], Whitening] | None = None

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
            Blocks that have been predicted with the latest head already, and need not be again unless labels changed.

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
        before = self._number
        with self._lock:
            head = self._fit(samples)
        yield HeadFitted(self._number)
        missing = [block for block in blocks_of(area) if before != self._number or block not in answered]
        for block in _nearest(missing, area):
            yield self._predicted(head, block)
        yield AreaAnswered()

    def _predicted(self, head: StrokeHead, block: Block) -> BlockAnswered:
        region = block_region(block, self._cache.shape)
        with self._lock:
            features = self._cache.wide_block(block)
        found = head.cells_of(features)
        return BlockAnswered(block, region, enlarged(found)[: region.height, : region.width])

    def _fit(self, samples: Samples) -> StrokeHead:
        """Fit a head, unless the samples are those of the last one."""
        digest = zlib.crc32(np.ascontiguousarray(samples.is_ink).data, zlib.crc32(samples.places.data))
        if self._head is None or digest != self._learned:
            blocks = np.unique(samples.places * STEP_PX // BLOCK_PX, axis=0).tolist()
            self._head = StrokeHead.fit(samples, self._whitening(blocks), self._cache.ink_logit, cores=self._cores)
            self._learned, self._number = digest, self._number + 1
        return self._head

    def _whitening(self, blocks: list[list[int]]) -> Whitening:
        """Return the whitening of the blocks with samples, which most strokes leave as it is."""
        places: list[Block] = [(row, column) for row, column in blocks]
        if self._whitened is None or self._whitened[0] != places:
            self._whitened = places, whitening_near([(self._cache, place) for place in places])
        return self._whitened[1]


def _nearest(blocks: Iterable[Block], area: Region, most: int | None = None) -> list[Block]:
    """Return blocks by their distance from the middle of an area."""
    y, x = (area.y0 + area.y1) / 2 / BLOCK_PX - 0.5, (area.x0 + area.x1) / 2 / BLOCK_PX - 0.5
    return sorted(blocks, key=lambda block: ((block[0] - y) ** 2 + (block[1] - x) ** 2, block))[:most]
