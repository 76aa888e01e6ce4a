"""Samples: the features of labelled cells, from which a forest learns."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.region import Region
from napari_ink.training.crops import counts_by_block
from napari_ink.training.teaching.blocks import BLOCK_PX, Block, block_region
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.typing import UInt8Array

# A cell of which less than half is labelled shows mostly what lies beside the stroke.
_LEAST_LABELLED = STEP_PX * STEP_PX // 2

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
        check = zlib.crc32(np.ascontiguousarray(labels).data)
        if block not in self._known or self._known[block][0] != check:
            self._known[block] = check, self._read(block, labels)
        return self._known[block][1]

    def _read(self, block: Block, labels: UInt8Array) -> Samples | None:
        ink, papyrus = (counts_by_block(labels == value, STEP_PX) for value in (LabelValue.INK, LabelValue.PAPYRUS))
        rows, columns = np.nonzero(ink + papyrus >= _LEAST_LABELLED)
        if not len(rows):
            return None
        features = self._cache.block(block)[:, rows, columns].T
        side = BLOCK_PX // STEP_PX
        places = np.stack([rows + block[0] * side, columns + block[1] * side], axis=1).astype(np.int32)
        return Samples(np.ascontiguousarray(features), (ink > papyrus)[rows, columns], places)
