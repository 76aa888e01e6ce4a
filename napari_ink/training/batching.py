"""Batches of a run: every crop depends only on the seed and its number, so that a resumed run gets the same ones."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from napari_ink.annotation import EdgeValue
from napari_ink.training.augmentation import Augmenter
from napari_ink.training.crops import CropSampler
from napari_ink.training.settings import TrainSettings
from napari_ink.training.supervision import edge_labels, hinted_ink, ink_labels
from napari_ink.training.targets import edge_targets, ink_targets


@dataclass(frozen=True, eq=False)
class Batch:
    """The crops of one training step.

    Attributes
    ----------
    values
        Prepared grey values ``(b, z, y, x)``.
    ink, edge
        Targets ``(b, y, x)``, uint8; `IGNORE` where no loss counts.
    hinted
        Hinted probabilities of ink ``(b, y, x)``, −1 where there is none; None without any hint.
    places
        For each crop, the index of its pair and the row and column of its top left pixel.
    """

    values: Tensor
    ink: Tensor
    edge: Tensor
    places: list[tuple[int, int, int]]
    hinted: Tensor | None = None


class _Crops(Dataset[dict[str, Any]]):
    """The crops of a whole run, by number."""

    def __init__(self, sampler: CropSampler, seed: int) -> None:
        self._sampler, self._seed = sampler, seed

    def __getitem__(self, number: int) -> dict[str, Any]:
        crop = self._sampler.draw(np.random.default_rng([self._seed, number]))
        return {"values": crop.values, "labels": crop.supervision, "place": np.array(crop.place)}


def batches(
    sampler: CropSampler,
    settings: TrainSettings,
    device: torch.device,
    first_step: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Batch]:
    """Yield the augmented batches of the steps from `first_step` to the last.

    Parameters
    ----------
    sampler
        Source of the crops.
    settings
        Batch size, number of steps, seed and augmentation.
    device
        Device to put the batches on.
    first_step
        First step; a resumed run gets the same batches as an uninterrupted one.
    rank, world_size
        Index of this process and number of processes; each gets different crops.
    """
    # Crops are numbered through the whole run, and the sampler lists this process's: a crop's number is its seed.
    own = [
        (step * world_size + rank) * settings.batch_size + i
        for step in range(first_step, settings.steps)
        for i in range(settings.batch_size)
    ]
    loader = DataLoader(
        _Crops(sampler, settings.seed),
        settings.batch_size,
        sampler=own,
        num_workers=settings.workers,
        multiprocessing_context="fork" if settings.workers else None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # otherwise the loader draws from torch's global generator
    )
    augmenter = Augmenter(settings.augmentation, sampler.contract)
    for step, read in enumerate(loader, first_step):
        values, labels = (read[name].to(device, non_blocking=True) for name in ("values", "labels"))
        values, labels = augmenter(values, labels, step_seed(settings.seed, step, rank))
        places = [(int(pair), int(y), int(x)) for pair, y, x in read["place"]]
        yield Batch(values, *_targets(labels), places, _hinted(labels))


def _targets(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the targets of ink and edges; drawn edge labels overrule the outlines of the ink."""
    labels, drawn = ink_labels(packed), edge_labels(packed)
    edges = edge_targets(labels)
    edges[drawn == EdgeValue.EDGE], edges[drawn == EdgeValue.NOT_EDGE] = 1, 0
    return ink_targets(labels), edges


def _hinted(packed: Tensor) -> Tensor | None:
    found = hinted_ink(packed)
    return found if bool((found >= 0).any()) else None


def step_seed(*numbers: int) -> int:
    """Return a seed for torch that is a hash of `numbers`, so that seeds of neighbouring steps are unrelated."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch's seeds are signed 64-bit integers


def spare_workers() -> int:
    """Return the number of processes for reading crops ahead: 0 on small machines and where forking is impossible."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    can_fork = "fork" in multiprocessing.get_all_start_methods() and sys.platform == "linux"
    return min(8, cores - 2) if can_fork and cores > 3 else 0
