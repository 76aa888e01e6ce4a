"""Train any network on phantoms with one procedure, for the comparisons in this folder.

The data, the losses, the optimiser, the schedule and the variation of crops are the same for every network; a budget is
a number of steps or seconds of processor time on one thread, which other work on the machine does not change.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_ink.annotation import LabelValue
from napari_ink.model.contract import InputContract
from napari_ink.model.losses import IGNORE, edge_loss, ink_loss
from napari_ink.model.network import EDGE, INK
from napari_ink.phantom import Phantom, PhantomConfig, make_phantom

EDGE_WEIGHT, WEIGHT_DECAY, WARM_UP = 0.5, 0.02, 15


@dataclass(frozen=True)
class Budget:
    """A limit on training: a number of steps, or of seconds of processor time on this thread."""

    steps: int | None = None
    cpu_seconds: float | None = None

    def share_spent(self, step: int, seconds: float) -> float:
        """Return 0 at the start and 1 at the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.cpu_seconds is not None
        return min(seconds / self.cpu_seconds, 1.0)


@dataclass(frozen=True)
class Batches:
    """Draws batches from phantoms: crops of `size` pixels, half of them centred on ink, rotated and flipped."""

    phantoms: Sequence[Path]
    contract: InputContract
    batch: int = 2
    size: int = 128
    depth_shift: int = 3

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return grey values ``(b, z, y, x)`` and the targets of ink and edges ``(b, y, x)``."""
        crops = [self._crop(rng) for _ in range(self.batch)]
        return tuple(torch.from_numpy(np.stack(planes)) for planes in zip(*crops, strict=True))  # type: ignore[return-value]

    def _crop(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], ...]:
        path = self.phantoms[int(rng.integers(len(self.phantoms)))]
        stack, (labels, ink, edge) = np.load(path, mmap_mode="r"), _supervision(path)
        wanted = LabelValue.INK if rng.random() < 0.5 else LabelValue.PAPYRUS
        for _ in range(50):
            y, x = (int(rng.integers(n - self.size + 1)) for n in labels.shape)
            if labels[y + self.size // 2, x + self.size // 2] == wanted:
                break
        window = self.contract.z_window(len(stack))
        shift = int(rng.integers(-self.depth_shift, self.depth_shift + 1))
        box = slice(y, y + self.size), slice(x, x + self.size)
        values = self.contract.prepare(np.asarray(stack[window.start + shift : window.stop + shift, box[0], box[1]]))
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        planes = (values * np.float32(rng.uniform(0.85, 1.15)), ink[box], edge[box])
        turned = (np.rot90(plane, turns, axes=(-2, -1)) for plane in planes)
        return tuple(np.ascontiguousarray(plane[..., ::-1] if flip else plane) for plane in turned)


def labels_of(phantom: Path) -> npt.NDArray[np.uint8]:
    """Return the labels stored beside a phantom, by `phantom_files` or by `world_phantoms.py`."""
    of_worlds = phantom.with_suffix(".labels.npy")
    return np.load(of_worlds if of_worlds.exists() else phantom.with_name(f"{phantom.stem}_labels.npy"))


def is_papyrus(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose truth is known; outside of the papyrus, `phantom_files` and worlds have two values."""
    return (labels == LabelValue.INK) | (labels == LabelValue.PAPYRUS)


@functools.cache
def _supervision(phantom: Path) -> tuple[npt.NDArray[np.uint8], ...]:
    labels = labels_of(phantom)
    return labels, *targets(labels)


def targets(labels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the targets of ink and edges ``(y, x)``; both ignore everything outside the papyrus."""
    from scipy import ndimage

    from napari_ink.evaluation import label_edges

    known = ndimage.binary_erosion(is_papyrus(labels), iterations=3)
    ink = labels == LabelValue.INK
    return tuple(np.where(known, plane, IGNORE).astype(np.uint8) for plane in (ink, label_edges(ink)))  # type: ignore[return-value]


def phantom_files(seeds: Sequence[int], home: Path, hard: bool, size: int = 512) -> list[Path]:
    """Make 8-bit phantoms, unless they are in `home` already."""
    home.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in seeds:
        path = home / f"{'hard' if hard else 'plain'}-{size}-{seed}.npy"
        labels = path.with_name(f"{path.stem}_labels.npy")
        if not labels.exists():
            phantom = make_phantom((PhantomConfig.hard if hard else PhantomConfig.varied)(seed, size, size))
            np.save(path, (phantom.volume // 257).astype(np.uint8))
            np.save(labels, label_values(phantom))
        paths.append(path)
    return paths


def label_values(phantom: Phantom) -> npt.NDArray[np.uint8]:
    """Return the truth as label values: all of the papyrus is reviewed, nothing outside it."""
    known = np.where(phantom.ink, LabelValue.INK, LabelValue.PAPYRUS)
    return np.where(phantom.mask, known, LabelValue.UNREVIEWED).astype(np.uint8)


def fit(
    network: nn.Module, batches: Batches, budget: Budget, learning_rate: float, seed: int = 0, device: str = "cpu"
) -> tuple[int, float]:
    """Train `network` in place with AdamW and half a cosine; return the number of steps and their seconds."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network.to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    step, seconds = 0, 0.0
    while (spent := budget.share_spent(step, seconds)) < 1:
        rate = learning_rate * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        values, ink, edge = (plane.to(device) for plane in batches.draw(rng))
        began = time.process_time()  # only the network's own work counts; drawing batches is the same for all
        logits = network(values)
        loss = ink_loss(logits[:, INK], ink) + EDGE_WEIGHT * edge_loss(logits[:, EDGE], edge)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seconds += time.process_time() - began
        step += 1
    network.eval()
    return step, seconds
