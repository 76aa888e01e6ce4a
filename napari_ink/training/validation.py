"""Validation of a network on held-out crops: scores and best thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import hypot
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_ink.annotation import LabelValue
from napari_ink.errors import NapariInkError
from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InputContract
from napari_ink.model.losses import IGNORE
from napari_ink.training.crops import Crop, TrainingPair
from napari_ink.training.precision import Arithmetic
from napari_ink.training.targets import edge_target

# BSDS's tolerance for crops of 512 pixels, the size that `napari-ink evaluate` uses; crops are smaller here.
_EDGE_REACH_PX = 0.0075 * hypot(512, 512)
_THRESHOLDS = 49
_EDGE_CROPS = 12

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on held-out pixels, 0 to 1, and the thresholds they were reached at."""

    ink_f0_5: float
    ink_threshold: float
    ink_average_precision: float
    edge_ods: float
    edge_threshold: float

    @property
    def overall(self) -> float:
        """Mean of the ink's F0.5 and the edges' ODS, by which checkpoints are compared."""
        return (self.ink_f0_5 + self.edge_ods) / 2


@dataclass(frozen=True, eq=False)
class Example:
    """A held-out crop and its predicted probabilities ``(y, x)``, 0 to 1."""

    crop: Crop
    ink: npt.NDArray[np.float32]
    edge: npt.NDArray[np.float32]


class HeldOut:
    """The held-out crops, which are the same in every validation.

    Parameters
    ----------
    pairs
        Pairs with held-out pixels.
    contract
        Input contract, by which grey values are prepared.
    size
        Height and width of a crop.
    most
        Largest number of crops, evenly spaced in the list of all.
    """

    def __init__(self, pairs: Sequence[TrainingPair], contract: InputContract, size: int, most: int) -> None:
        self._pairs, self._contract, self._size = pairs, contract, size
        self._chosen = spread(list(self._places()), most)

    def _places(self) -> Iterator[tuple[int, int, int]]:
        """Return the places of squares with held-out labels; those with ink come first."""
        found = []
        for number, pair in enumerate(self._pairs):
            if pair.held_out is None and not pair.judges_trained:
                continue
            for y, x in product(*(range(0, length, self._size) for length in pair.labels.shape)):
                window = pair.to_judge(slice(y, y + self._size), slice(x, x + self._size))
                if np.isin(window, (LabelValue.PAPYRUS, LabelValue.INK)).any():
                    found.append((not (window == LabelValue.INK).any(), number, y, x))
        return ((number, y, x) for _, number, y, x in sorted(found))

    def crops(self) -> Iterator[Crop]:
        """Yield the crops one by one; those at the bottom and right are moved into the segment."""
        for number, y, x in self._chosen:
            pair = self._pairs[number]
            height, width = pair.labels.shape
            top, left = max(0, min(y, height - self._size)), max(0, min(x, width - self._size))
            rows, columns = slice(top, min(top + self._size, height)), slice(left, min(left + self._size, width))
            labels = pair.to_judge(rows, columns)
            labels[: y - top], labels[:, : x - left] = LabelValue.UNREVIEWED, LabelValue.UNREVIEWED  # counted elsewhere
            window = self._contract.z_window(pair.stack.shape[0])
            block = pair.stack.read(window, rows, columns)
            missing = [(0, self._size - n) for n in labels.shape]
            block, labels = np.pad(block, [(0, 0), *missing]), np.pad(labels, missing)
            prepared = self._contract.with_greys_of(pair.stack).prepare(block)
            yield Crop(np.ascontiguousarray(prepared), labels, (number, top, left))

    def examples(self, network: nn.Module, arithmetic: Arithmetic) -> Iterator[Example]:
        """Yield the crops with their predictions; the network is left in evaluation mode."""
        network.eval()
        for crop in self.crops():
            ink, edge = _probabilities(network, crop.values, arithmetic)
            if not (np.isfinite(ink).all() and np.isfinite(edge).all()):
                raise NapariInkError(
                    "The averaged weights give values that are not numbers; begin again with a lower learning rate."
                )
            yield Example(crop, ink, edge)


def judge(examples: Sequence[Example]) -> Scores:
    """Return the scores of predicted crops; edges are scored on at most a dozen, since matching them takes time."""
    reviewed = [np.isin(one.crop.labels, (LabelValue.PAPYRUS, LabelValue.INK)) for one in examples]
    levels = [np.rint(one.ink[known] * 255).astype(np.uint8) for one, known in zip(examples, reviewed, strict=True)]
    truth = [one.crop.labels[known] == LabelValue.INK for one, known in zip(examples, reviewed, strict=True)]
    ink = ink_scores(np.concatenate(levels)[None], np.concatenate(truth)[None])
    with_edges = [one for one in examples if (edge_target(one.crop.labels) == 1).any()]
    some = spread(with_edges or examples, _EDGE_CROPS)
    edges = edge_scores(map(_edge_pair, some), 0, _THRESHOLDS, _EDGE_REACH_PX)
    return Scores(ink.f0_5, ink.best_threshold, ink.average_precision, edges.ods, edges.ods_threshold)


def spread(things: Sequence[T], most: int) -> list[T]:
    """Return at most `most` things, evenly spaced in the sequence."""
    chosen = np.unique(np.linspace(0, len(things) - 1, min(most, len(things))).astype(int))
    return [things[i] for i in chosen]


def _edge_pair(
    example: Example,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    inside = edge_target(example.crop.labels) != IGNORE
    return example.edge, label_edges(example.crop.labels == LabelValue.INK) & inside, inside


@torch.inference_mode()
def _probabilities(
    network: nn.Module, values: npt.NDArray[np.float32], arithmetic: Arithmetic
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with arithmetic.autocast():
        logits = network(torch.from_numpy(values)[None].to(arithmetic.device))
    ink, edge = torch.sigmoid(logits.float())[0].cpu().numpy()
    return ink, edge
