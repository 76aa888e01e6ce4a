"""Training crops: where they are cut from a stack, and which of its depth layers they hold."""

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
from napari_ink.training.targets import edge_target, ink_target

Labels = npt.NDArray[np.uint8]
HELD_OUT_MARGIN_PX = 16


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """A depth stack and what is known of its ink.

    Attributes
    ----------
    stack
        What is read.
    labels
        uint8 ``(y, x)``: 0 unreviewed, 1 papyrus, 2 ink, 3 (`OUTSIDE`) beyond the papyrus.
    held_out
        bool ``(y, x)``: where the network is judged, and never trained; None for nowhere.
    """

    stack: DepthStack
    labels: Labels
    held_out: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for plane in (self.labels, self.held_out):
            if plane is not None and plane.shape != self.stack.shape[1:]:
                raise LabelError(
                    f"The labels are {plane.shape} pixels and the stack {self.stack.source} is "
                    f"{self.stack.shape[1:]}; use labels of the same segment."
                )

    def to_train(self) -> Labels:
        """Return the labels without those that are held out, and without a margin around them."""
        if self.held_out is None or not self.held_out.any():
            return self.labels
        side = 2 * HELD_OUT_MARGIN_PX + 1
        near = ndimage.maximum_filter(self.held_out, side, mode="constant")
        return np.where(near, LabelValue.UNREVIEWED, self.labels).astype(np.uint8)

    def to_judge(self, y: slice = slice(None), x: slice = slice(None)) -> Labels:
        """Return the labels of what is held out in these rows and columns, and nothing else."""
        labels = self.labels[y, x]
        if self.held_out is None:
            return np.zeros_like(labels)
        return np.where(self.held_out[y, x], labels, LabelValue.UNREVIEWED).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Crop:
    """One training sample: prepared values ``(z, y, x)``, label values ``(y, x)``, and its pair and top left pixel."""

    values: npt.NDArray[np.float32]
    labels: Labels
    place: tuple[int, int, int]

    @property
    def ink(self) -> Labels:
        """What is asked for as ink ``(y, x)``, see `ink_target`."""
        return ink_target(self.labels)

    @property
    def edge(self) -> Labels:
        """What is asked for as edges ``(y, x)``, see `edge_target`."""
        return edge_target(self.labels)


class CropSampler:
    """Draws crops from pairs: half of them around ink, the others anywhere that has been reviewed.

    A pair is drawn as often as it has reviewed pixels, and so is each part of it.

    Parameters
    ----------
    pairs
        What to draw from; those without labels to train on are left out.
    contract
        How grey values are read.
    size
        Height and width of a crop, in pixels; a smaller segment is padded with what nobody has reviewed.
    depth
        How the depth is varied.

    Raises
    ------
    ContractError
        If a stack has fewer layers than the contract asks for at least.
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
        # A batch holds crops of several stacks: the shallowest says how many layers.
        windows = [contract.z_window(pair.stack.shape[0]) for pair in pairs]
        self._layers = min((window.stop - window.start for window in windows), default=0)
        self._labels = [pair.to_train() for pair in pairs]
        # A crop around any pixel of a block must hold the whole block, so that what it was drawn for lies in it.
        self._blocks = [LabelledBlocks(labels, max(1, min(BLOCK_PX, size // 2))) for labels in self._labels]
        self._reviewed = np.cumsum([blocks.reviewed_px for blocks in self._blocks])
        self._ink = np.cumsum([blocks.ink_px for blocks in self._blocks])
        if not pairs or not self._reviewed[-1]:
            raise LabelError("No pair has reviewed labels to train on; label some of the papyrus first.")

    @property
    def used(self) -> int:
        """How many of the pairs have labels to train on."""
        return sum(blocks.reviewed_px > 0 for blocks in self._blocks)

    @property
    def ink_px(self) -> int:
        """Pixels of ink to train on, of all pairs."""
        return int(self._ink[-1])

    @property
    def reviewed_px(self) -> int:
        """Reviewed pixels to train on, of all pairs."""
        return int(self._reviewed[-1])

    def draw(self, rng: np.random.Generator) -> Crop:
        """Cut one crop."""
        on_ink = bool(rng.random() < 0.5) and self.ink_px > 0
        sums = self._ink if on_ink else self._reviewed
        pair = int(np.searchsorted(sums, rng.integers(int(sums[-1])), side="right"))
        y, x = self._blocks[pair].draw(rng, on_ink)
        layers = self.depth.layers(rng, self.contract, self.pairs[pair].stack.shape[0], self._layers)
        return self.cut(pair, y - self.size // 2, x - self.size // 2, layers)

    def cut(self, pair: int, y: int, x: int, layers: npt.NDArray[np.intp]) -> Crop:
        """Cut the crop nearest to the corner ``(y, x)`` that lies within its segment."""
        height, width = self._labels[pair].shape
        y, x = max(0, min(y, height - self.size)), max(0, min(x, width - self.size))
        labels = self._labels[pair][y : y + self.size, x : x + self.size]
        block = read_layers(
            self.pairs[pair].stack, layers, slice(y, y + labels.shape[0]), slice(x, x + labels.shape[1])
        )
        missing = [(0, self.size - n) for n in labels.shape]
        if any(after for _, after in missing):
            block, labels = np.pad(block, [(0, 0), *missing]), np.pad(labels, missing)
        return Crop(np.ascontiguousarray(self.contract.prepare(block)), labels.copy(), (pair, y, x))


def read_layers(stack: DepthStack, layers: npt.NDArray[np.intp], y: slice, x: slice) -> npt.NDArray[Any]:
    """Read depth layers by number, in any order; one that stands there twice is read once."""
    first, last = int(layers.min()), int(layers.max())
    block = stack.read(slice(first, last + 1), y, x)
    return block if np.array_equal(layers, np.arange(first, last + 1)) else block[layers - first]


BLOCK_PX = 32


class LabelledBlocks:
    """Draws places by how much ink, or how much that has been reviewed, lies in their block.

    Parameters
    ----------
    labels
        Label values ``(y, x)``.
    side
        Height and width of a block, in pixels.

    Attributes
    ----------
    reviewed_px, ink_px : int
        How many pixels somebody has looked at, and how many of these are ink.
    """

    def __init__(self, labels: npt.NDArray[np.uint8], side: int = BLOCK_PX) -> None:
        self.side, self._shape = side, labels.shape
        ink = _counts(labels == LabelValue.INK, side)
        reviewed = ink + _counts(labels == LabelValue.PAPYRUS, side)
        self._columns = ink.shape[1]
        self._ink, self._reviewed = np.cumsum(ink), np.cumsum(reviewed)
        self.ink_px, self.reviewed_px = int(self._ink[-1]), int(self._reviewed[-1])

    def draw(self, rng: np.random.Generator, on_ink: bool) -> tuple[int, int]:
        """Return a pixel of a block that holds ink, or if not `on_ink` (or there is none) anything reviewed."""
        sums = self._ink if on_ink and self.ink_px else self._reviewed
        block = int(np.searchsorted(sums, rng.integers(int(sums[-1])), side="right"))
        corner = (block // self._columns * self.side, block % self._columns * self.side)
        y, x = (int(rng.integers(c, min(c + self.side, n))) for c, n in zip(corner, self._shape, strict=True))
        return y, x


def _counts(plane: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.int64]:
    """Return how many pixels of each block are true."""
    starts = [np.arange(0, length, side) for length in plane.shape]
    rows = np.add.reduceat(plane, starts[0], axis=0, dtype=np.int64)
    counts: npt.NDArray[np.int64] = np.add.reduceat(rows, starts[1], axis=1)
    return counts
