"""Training crops: their sampling from stacks and depth layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation import LabelValue
from napari_ink.errors import LabelError
from napari_ink.model import InputContract
from napari_ink.stack import DepthStack
from napari_ink.training.settings import DepthVariation
from napari_ink.training.supervision import pack, unpack_labels
from napari_ink.training.targets import edge_target, ink_target

Labels = npt.NDArray[np.uint8]
HELD_OUT_MARGIN_PX = 16


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """A depth stack and its ink labels.

    Attributes
    ----------
    stack
        Depth stack of the segment.
    labels
        uint8 ``(y, x)``: 0 unreviewed, 1 papyrus, 2 ink, 3 (`OUTSIDE`) outside of the papyrus.
    held_out
        bool ``(y, x)``: pixels for validation, which are never trained on; None for no such pixels.
    edges
        uint8 ``(y, x)``: drawn edge labels, which overrule the outlines of `labels`, or `EDGE_UNKNOWN`; None for none.
    hints
        uint8 ``(y, x)``: predictions of another model for unlabelled pixels, see `to_hints`; None for none.
    share
        Share of the crops that come from this pair; None for a share by its reviewed pixels. Either all pairs of a run
        have one, or none.
    judges_trained
        Whether all of its labels are both trained on and validated on, since they are too few to hold some out.

    Raises
    ------
    LabelError
        If a plane's shape differs from the stack's.
    """

    stack: DepthStack
    labels: Labels
    held_out: npt.NDArray[np.bool_] | None = None
    edges: Labels | None = None
    hints: Labels | None = None
    share: float | None = None
    judges_trained: bool = False

    def __post_init__(self) -> None:
        for plane in (self.labels, self.held_out, self.edges, self.hints):
            if plane is not None and plane.shape != self.stack.shape[1:]:
                raise LabelError(
                    f"The labels are {plane.shape} pixels and the stack {self.stack.source} is "
                    f"{self.stack.shape[1:]}; use labels of the same segment."
                )

    def to_train(self) -> Labels:
        """Return the labels to train on: without held-out pixels and a margin around them."""
        return self._trained(self.labels)

    def edges_to_train(self) -> Labels | None:
        """Return the drawn edge labels to train on, in the same way."""
        return None if self.edges is None else self._trained(self.edges)

    def _trained(self, labels: Labels) -> Labels:
        if self.held_out is None or not self.held_out.any():
            return labels
        # Without the margin, pixels next to a trained one would be validated, and these are nearly the same.
        side = 2 * HELD_OUT_MARGIN_PX + 1
        near = ndimage.maximum_filter(self.held_out, side, mode="constant")
        return np.where(near, LabelValue.UNREVIEWED, labels).astype(np.uint8)

    def to_judge(self, y: slice = slice(None), x: slice = slice(None)) -> Labels:
        """Return the labels of held-out pixels in these rows and columns; all others are unreviewed."""
        labels = self.labels[y, x]
        if self.judges_trained:
            return labels.copy()  # validation blanks parts of what it gets, and this plane is trained on
        if self.held_out is None:
            return np.zeros_like(labels)
        return np.where(self.held_out[y, x], labels, LabelValue.UNREVIEWED).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Crop:
    """One training sample: prepared values ``(z, y, x)``, `pack`-ed supervision ``(y, x)``, pair and top left pixel."""

    values: npt.NDArray[np.float32]
    supervision: Labels
    place: tuple[int, int, int]

    @property
    def labels(self) -> Labels:
        """Label values ``(y, x)``."""
        return unpack_labels(self.supervision)

    @property
    def ink(self) -> Labels:
        """Ink target ``(y, x)``, see `ink_target`."""
        return ink_target(self.labels)

    @property
    def edge(self) -> Labels:
        """Edge target ``(y, x)``, see `edge_target`."""
        return edge_target(self.labels)


class CropSampler:
    """Draws crops from pairs: half of them around ink, the others around any reviewed pixel.

    The probability of a pair, and of each part of it, is proportional to its reviewed pixels.

    Parameters
    ----------
    pairs
        Pairs to draw from; those without labels to train on are skipped.
    contract
        Input contract, by which grey values are prepared.
    size
        Height and width of a crop, in pixels; a smaller segment is padded with unreviewed pixels.
    depth
        Variation of the depth window.

    Attributes
    ----------
    layers : int
        Depth layers of each crop.

    Raises
    ------
    ContractError
        If a stack has fewer layers than the contract requires.
    LabelError
        If no pair has labels to train on.
    """

    def __init__(
        self,
        pairs: Sequence[TrainingPair],
        contract: InputContract,
        size: int,
        depth: DepthVariation = DepthVariation(),  # noqa: B008 - frozen
    ) -> None:
        self.pairs, self.contract, self.size, self.depth = list(pairs), contract, size, depth
        self._fitted = [contract.with_greys_of(pair.stack) for pair in pairs]
        # All crops of a batch need the same number of layers, which the shallowest stack limits.
        windows = [contract.z_window(pair.stack.shape[0]) for pair in pairs]
        self.layers = min((window.stop - window.start for window in windows), default=0)
        self._labels = [pair.to_train() for pair in pairs]
        self._supervision = [
            pack(labels, pair.edges_to_train(), pair.hints) for pair, labels in zip(pairs, self._labels, strict=True)
        ]
        self._hinted = [_hinted_blocks(pair, size) for pair in pairs]
        # A crop centred on any pixel of a block must contain the whole block, and with it the ink it was drawn for.
        self._blocks = [LabelledBlocks(labels, max(1, min(BLOCK_PX, size // 2))) for labels in self._labels]
        self._reviewed = np.cumsum([blocks.reviewed_px for blocks in self._blocks])
        self._ink = np.cumsum([blocks.ink_px for blocks in self._blocks])
        if not pairs or not self._reviewed[-1]:
            raise LabelError("No pair has reviewed labels to train on; label some of the papyrus first.")
        self._shares = _shares(
            [
                None if pair.share is None else pair.share * (blocks.reviewed_px > 0)
                for pair, blocks in zip(pairs, self._blocks, strict=True)
            ]
        )

    @property
    def used(self) -> int:
        """Number of pairs with labels to train on."""
        return sum(blocks.reviewed_px > 0 for blocks in self._blocks)

    @property
    def ink_px(self) -> int:
        """Number of ink pixels to train on in all pairs."""
        return int(self._ink[-1])

    @property
    def reviewed_px(self) -> int:
        """Number of reviewed pixels to train on in all pairs."""
        return int(self._reviewed[-1])

    def draw(self, rng: np.random.Generator) -> Crop:
        """Return a random crop."""
        on_ink = bool(rng.random() < 0.5) and self.ink_px > 0
        if self._shares is None:
            sums = self._ink if on_ink else self._reviewed
            pair = int(np.searchsorted(sums, rng.integers(int(sums[-1])), side="right"))
        else:
            pair = int(np.searchsorted(self._shares, rng.random(), side="right"))
        blocks, hinted = self._blocks[pair], self._hinted[pair]
        # Half of the crops of a pair with hints lie anywhere among them, the others around labels.
        if hinted is not None and rng.random() < 0.5:
            blocks, on_ink = hinted, False
        y, x = blocks.draw(rng, on_ink)
        layers = self.depth.layers(rng, self.contract, self.pairs[pair].stack.shape[0], self.layers)
        return self.cut(pair, y - self.size // 2, x - self.size // 2, layers)

    def cut(self, pair: int, y: int, x: int, layers: npt.NDArray[np.intp]) -> Crop:
        """Return the crop at the corner ``(y, x)``, moved as little as needed to lie within the segment."""
        height, width = self._labels[pair].shape
        y, x = max(0, min(y, height - self.size)), max(0, min(x, width - self.size))
        labels = self._supervision[pair][y : y + self.size, x : x + self.size]
        block = read_layers(
            self.pairs[pair].stack, layers, slice(y, y + labels.shape[0]), slice(x, x + labels.shape[1])
        )
        missing = [(0, self.size - n) for n in labels.shape]
        if any(after for _, after in missing):
            block, labels = np.pad(block, [(0, 0), *missing]), np.pad(labels, missing)
        return Crop(np.ascontiguousarray(self._fitted[pair].prepare(block)), labels.copy(), (pair, y, x))


def _hinted_blocks(pair: TrainingPair, size: int) -> LabelledBlocks | None:
    if pair.hints is None or not pair.hints.any():
        return None
    # Blocks as large as a crop allows, since hints fill areas and need not be found as exactly as strokes.
    return LabelledBlocks(np.where(pair.hints > 0, LabelValue.PAPYRUS, 0).astype(np.uint8), max(1, size // 2))


def _shares(shares: Sequence[float | None]) -> npt.NDArray[np.float64] | None:
    """Return the cumulative shares of the pairs, which end at 1; None if the pairs state none."""
    stated = [share for share in shares if share is not None]
    if not stated:
        return None
    if len(stated) != len(shares) or min(stated) < 0 or not sum(stated):
        raise ValueError("either all pairs have a share of the crops, at least 0, or none has")
    sums: npt.NDArray[np.float64] = np.cumsum(stated) / sum(stated)
    sums[-1] = 1.0  # a sum that rounding left below 1 could lie below a random number
    return sums


def read_layers(stack: DepthStack, layers: npt.NDArray[np.intp], y: slice, x: slice) -> npt.NDArray[Any]:
    """Return depth layers by index, in any order; repeated layers are read once."""
    first, last = int(layers.min()), int(layers.max())
    block = stack.read(slice(first, last + 1), y, x)
    return block if np.array_equal(layers, np.arange(first, last + 1)) else block[layers - first]


BLOCK_PX = 32


class LabelledBlocks:
    """Draws pixels, with a probability proportional to the ink, or the reviewed pixels, in their block.

    Parameters
    ----------
    labels
        Label values ``(y, x)``.
    side
        Height and width of a block, in pixels.

    Attributes
    ----------
    reviewed_px, ink_px : int
        Number of reviewed pixels, and of ink pixels among them.
    """

    def __init__(self, labels: npt.NDArray[np.uint8], side: int = BLOCK_PX) -> None:
        self.side, self._shape = side, labels.shape
        ink = counts_by_block(labels == LabelValue.INK, side)
        reviewed = ink + counts_by_block(labels == LabelValue.PAPYRUS, side)
        self._columns = ink.shape[1]
        self._ink, self._reviewed = np.cumsum(ink), np.cumsum(reviewed)
        self.ink_px, self.reviewed_px = int(self._ink[-1]), int(self._reviewed[-1])

    def draw(self, rng: np.random.Generator, on_ink: bool) -> tuple[int, int]:
        """Return a pixel in a block with ink; without `on_ink` or any ink, in a block with reviewed pixels."""
        sums = self._ink if on_ink and self.ink_px else self._reviewed
        # Inverse of the cumulative sum: memory of one number a block instead of one a pixel.
        block = int(np.searchsorted(sums, rng.integers(int(sums[-1])), side="right"))
        corner = (block // self._columns * self.side, block % self._columns * self.side)
        y, x = (int(rng.integers(c, min(c + self.side, n))) for c, n in zip(corner, self._shape, strict=True))
        return y, x


def counts_by_block(plane: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.int64]:
    """Return the number of true pixels ``(rows, columns)`` in each block of `side` pixels; the last may be smaller."""
    starts = [np.arange(0, length, side) for length in plane.shape]
    rows = np.add.reduceat(plane, starts[0], axis=0, dtype=np.int64)
    counts: npt.NDArray[np.int64] = np.add.reduceat(rows, starts[1], axis=1)
    return counts
