"""Training crops: where they are cut from a stack, and how they are varied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation import LabelValue
from napari_ink.errors import LabelError
from napari_ink.model import InputContract
from napari_ink.model.losses import IGNORE
from napari_ink.stack import DepthStack


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """A depth stack and its ink labels ``(y, x)``, uint8: 0 unreviewed, 1 papyrus, 2 ink."""

    stack: DepthStack
    labels: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.labels.shape != self.stack.shape[1:]:
            raise LabelError(
                f"The labels are {self.labels.shape} pixels and the stack {self.stack.source} is "
                f"{self.stack.shape[1:]}; use labels of the same segment."
            )


@dataclass(frozen=True, eq=False)
class Crop:
    """One training sample: prepared values ``(z, y, x)`` and the ink and edge targets ``(y, x)``."""

    values: npt.NDArray[np.float32]
    ink: npt.NDArray[np.uint8]
    edge: npt.NDArray[np.uint8]


def ink_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 0 papyrus, 1 ink and `IGNORE` for label values of 1, 2 and 0."""
    lookup = np.array([IGNORE, 0, 1], dtype=np.uint8)
    return lookup[labels]


def edge_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 1 on ink pixels that touch papyrus, 0 on the rest, and `IGNORE` where the labels do not tell."""
    cross = ndimage.generate_binary_structure(2, 1)
    ink = labels == LabelValue.INK
    edge = ink & ndimage.binary_dilation(labels == LabelValue.PAPYRUS, cross)
    unknown = ndimage.binary_dilation(labels == LabelValue.UNREVIEWED, cross)
    return np.where(unknown, IGNORE, edge).astype(np.uint8)


class CropSampler:
    """Draws crops from pairs: half of them around ink, the others anywhere that has been reviewed.

    Parameters
    ----------
    pairs
        What to draw from.
    contract
        How grey values are read.
    size
        Height and width of a crop, in pixels.
    depth_shift
        Windows are moved by up to this many layers, so that the surface need not lie in the middle.
    """

    def __init__(self, pairs: list[TrainingPair], contract: InputContract, size: int, depth_shift: int = 3) -> None:
        self.pairs, self.contract, self.size, self.depth_shift = pairs, contract, size, depth_shift
        for pair in pairs:
            if min(pair.labels.shape) < size or not (pair.labels != LabelValue.UNREVIEWED).any():
                raise LabelError(
                    f"{pair.stack.source} gives no crop of {size} pixels with reviewed labels; leave it out or label "
                    "more of it."
                )

    def draw(self, rng: np.random.Generator) -> Crop:
        """Cut one crop and vary it."""
        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        wanted = LabelValue.INK if rng.random() < 0.5 else None
        y, x = self._corner(rng, pair.labels, wanted)
        rows, columns = slice(y, y + self.size), slice(x, x + self.size)
        values = self.contract.prepare(pair.stack.read(self._window(rng, pair.stack.shape[0]), rows, columns))
        labels = pair.labels[rows, columns]
        return _vary(rng, Crop(values, ink_target(labels), edge_target(labels)))

    def _window(self, rng: np.random.Generator, depth: int) -> slice:
        window = self.contract.z_window(depth)
        reach = min(self.depth_shift, window.start, depth - window.stop)
        shift = int(rng.integers(-reach, reach + 1))
        return slice(window.start + shift, window.stop + shift)

    def _corner(
        self, rng: np.random.Generator, labels: npt.NDArray[np.uint8], wanted: LabelValue | None
    ) -> tuple[int, int]:
        highest = [n - self.size for n in labels.shape]
        for _ in range(50):
            y, x = (int(rng.integers(top + 1)) for top in highest)
            centre = labels[y + self.size // 2, x + self.size // 2]
            if centre == wanted or (wanted is None and centre != LabelValue.UNREVIEWED):
                break
        return y, x


def _vary(rng: np.random.Generator, crop: Crop) -> Crop:
    """Flip and turn a crop, and change its contrast, brightness and noise as scans differ in them."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))

    def turned(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        plane = np.rot90(plane, turns, axes=(-2, -1))
        return plane[..., ::-1] if flip else plane

    values = turned(crop.values) * np.float32(rng.uniform(0.85, 1.15)) + np.float32(rng.normal(0, 0.1))
    values = values + np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(values.shape, dtype=np.float32)
    return Crop(values.astype(np.float32), turned(crop.ink).copy(), turned(crop.edge).copy())
