"""A lesson: the strokes of all projects with their features, and what models make of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from napari_ink.errors import LabelError
from napari_ink.model import InkModel
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stroke_features import STEP_PX, ink_logit_feature
from napari_ink.model.taught_network import TaughtNetwork, without_forest
from napari_ink.region import Region
from napari_ink.training.teaching.blocks import BLOCK_PX, Block, blocks_of
from napari_ink.training.teaching.corrections import Corrections
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.training.teaching.judging import cross_validate
from napari_ink.training.teaching.samples import ReadLabels, Samples, StrokeSampler
from napari_ink.training.teaching.stroke_head import Rows, StrokeHead, Whitening, blended, whitening_near
from napari_ink.training.teaching.units import CELL_PX, Unit
from napari_ink.training.validation import spread
from napari_ink.typing import UInt8Array

# The whitening needs no more, and a reviewed segment has thousands.
_MOST_BLOCKS = 64
Values = npt.NDArray[np.float32]
Chosen = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Part:
    """The samples of one block of one project."""

    project: int
    block: Block
    samples: Samples
    unit: npt.NDArray[np.int32]


class Lesson:
    """The samples of all strokes.

    Parameters
    ----------
    model
        Model whose features they have.
    corrections
        The corrections of the projects.

    Attributes
    ----------
    model : InkModel
        That model.
    corrections : sequence of Corrections
        These corrections.
    caches : list of FeatureCache
        Features of each project's stack.
    units : list of Unit
        Units of all projects, numbered through.
    """

    def __init__(self, model: InkModel, corrections: Sequence[Corrections]) -> None:
        self.model, self.corrections = model, corrections
        self.caches = [FeatureCache(model, one.stack) for one in corrections]
        found = [unit for one in corrections for unit in one.units.units]
        self.units: list[Unit] = [replace(unit, number=number) for number, unit in enumerate(found)]
        self._parts: list[_Part] = []

    def read(self) -> Iterator[tuple[int, int]]:
        """Compute the features under all strokes; yields the number of blocks done, and of all.

        Raises
        ------
        LabelError
            If the strokes are too thin to give samples of both kinds.
        StackError
            If a stack cannot be read there.
        """
        wanted = [(number, block) for number, one in enumerate(self.corrections) for block in labelled_blocks(one)]
        firsts = np.cumsum([0, *(len(one.units.units) for one in self.corrections)])
        self._parts = []
        for done, (number, block) in enumerate(wanted, 1):
            labels = self.corrections[number].labels
            samples = StrokeSampler(self.caches[number], _reader(labels)).collect([block])
            if samples is not None:
                # Cells of samples nest in the larger cells of units, so each sample lies in exactly one unit.
                cells = samples.places * STEP_PX // CELL_PX
                unit = self.corrections[number].units.plane[cells[:, 0], cells[:, 1]] + int(firsts[number])
                self._parts.append(_Part(number, block, samples, unit.astype(np.int32)))
            yield done, len(wanted)
        if not self._parts or not self.samples.has_both:
            raise LabelError("The strokes are too thin to learn from; paint some that are at least 4 pixels wide.")

    @property
    def samples(self) -> Samples:
        """All samples."""
        return Samples.joined([part.samples for part in self._parts])

    @property
    def unit(self) -> npt.NDArray[np.int32]:
        """Number of the unit of each sample."""
        return np.concatenate([part.unit for part in self._parts])

    @cached_property
    def whitening(self) -> Whitening:
        """Whitening of the features near the strokes."""
        return whitening_near(self._places())

    def fit(self, samples: Samples, seed: int = 0, cores: int = 1) -> StrokeHead:
        """Fit a head to samples of this lesson.

        Raises
        ------
        BadInputError
            If there are no samples of ink or none of papyrus.
        StackError
            If a stack cannot be read near the strokes.
        """
        return StrokeHead.fit(samples, self.whitening, self.caches[0].ink_logit, seed, cores)

    def map_of(self, head: StrokeHead) -> Values:
        """Return the probabilities of ink that a head gives all cells near the strokes, in no order."""
        return np.concatenate([head.cells(*place).ravel() for place in self._places()])

    def cross_validate(self, held_out: Sequence[Sequence[int]], seed: int = 0, cores: int = 1) -> Values:
        """Return for each sample the probability that a head gives it which has not seen its fold; see judging."""
        return cross_validate(
            self.samples, self.unit, held_out, lambda samples: self.fit(samples, seed, cores).probability
        )

    def _places(self) -> list[tuple[FeatureCache, Block]]:
        """Return some blocks with strokes, each with the features of its stack."""
        pairs = zip(self.caches, self.corrections, strict=True)
        return [(cache, block) for cache, one in pairs for block in spread(labelled_blocks(one), _MOST_BLOCKS)]

    def values_of_start(self) -> Values:
        """Return the probability of ink that the network of the lesson's model gives each sample."""
        network = without_forest(self.model.network)
        assert isinstance(network, InkEdgeNetwork)
        return _probability(self.samples.features[:, ink_logit_feature(network)])

    def values_of_model(self) -> Values:
        """Return the probability of ink that the lesson's model gives each sample, with what strokes taught it."""
        return _values(self.model, self.samples.features)

    def values_of(self, model: InkModel, chosen: Chosen) -> Values:
        """Return the probabilities of ink that another model gives the chosen samples ``(n,)``."""
        found, start = [], 0
        caches = [FeatureCache(model, one.stack) for one in self.corrections]
        for part in self._parts:
            own = chosen[start : start + len(part.unit)]
            start += len(part.unit)
            # Blocks without a chosen sample need not be computed with the other network.
            if own.any():
                # Places count cells of the whole segment, and features those of one block.
                rows, columns = (part.samples.places[own] % (BLOCK_PX // STEP_PX)).T
                found.append(caches[part.project].block(part.block)[:, rows, columns].T)
        return _values(model, np.concatenate(found))


def labelled_blocks(corrections: Corrections) -> list[Block]:
    """Return the blocks that hold labels."""
    found = {block for unit in corrections.units.units for block in blocks_of(unit.region)}
    return sorted(found)


def _reader(labels: UInt8Array) -> ReadLabels:
    def read(area: Region) -> UInt8Array:
        return labels[area.slices]

    return read


def _values(model: InkModel, rows: Rows) -> Values:
    """Return the probabilities of ink that a model gives its own features ``(n, c)``."""
    network = without_forest(model.network)
    assert isinstance(network, InkEdgeNetwork)
    own = _probability(rows[:, ink_logit_feature(network)])
    if not isinstance(model.network, TaughtNetwork):
        return own
    with torch.inference_mode():
        found = model.network.taught_probability(torch.from_numpy(rows.astype(np.float32))).numpy()
    return blended(found, own, float(model.network.forest.blend))


def _probability(logits: npt.NDArray[np.floating]) -> Values:
    found: Values = (1 / (1 + np.exp(-logits.astype(np.float32)))).astype(np.float32)
    return found
