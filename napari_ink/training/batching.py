"""Batches of a run: every crop depends only on the seed and its number, so that a resumed run gets the same ones."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from napari_ink.annotation import EdgeValue
from napari_ink.model.losses import IGNORE
from napari_ink.training.augmentation import Augmenter
from napari_ink.training.crops import CropSampler
from napari_ink.training.settings import TrainSettings
from napari_ink.training.supervision import edge_labels, hinted_ink, ink_labels
from napari_ink.training.targets import EDGE_UNKNOWN, edge_targets, ink_targets


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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Depth layers, height and width of a crop."""
        return self._sampler.layers, self._sampler.size, self._sampler.size

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
    threads: int = 1,
) -> Generator[Batch, None, None]:
    """Yield the augmented batches of the steps from `first_step` to the last.

    On a CPU the next batch is prepared on threads while the caller uses the last one.

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
    threads
        Number of threads on a CPU; it does not change what the batches are.
    """
    size, last = settings.batch_size, settings.steps
    # Crops are numbered through the whole run: a crop's number is its seed.
    starts = [(step * world_size + rank) * size for step in range(first_step, last)]
    crops = _Crops(sampler, settings.seed)
    reads = _loaded(crops, starts, settings, device) if settings.workers or device.type != "cpu" else repeat(None)
    maker = _BatchMaker(crops, Augmenter(settings.augmentation, sampler.contract), settings, device)
    threads_before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "napari-ink-crops", torch.set_num_threads, (1,))
    submit = pool.submit if device.type == "cpu" else _now
    ahead = int(device.type == "cpu")
    pending = deque[_Pending]()
    try:
        for start, read in zip(starts, reads, strict=False):
            pending.append(maker.start(start, read, submit))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        # torch keeps the setting per thread, but new threads start with the value that any thread set last.
        torch.set_num_threads(threads_before)


def _loaded(crops: _Crops, starts: Sequence[int], settings: TrainSettings, device: torch.device) -> Iterator[Any]:
    """Return crops as read, batch by batch; workers are forked here, before there are threads."""
    return iter(
        DataLoader(
            crops,
            settings.batch_size,
            sampler=[start + i for start in starts for i in range(settings.batch_size)],
            num_workers=settings.workers,
            multiprocessing_context="fork" if settings.workers else None,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # otherwise the loader draws from torch's global generator
        )
    )


def _now(work: Callable[..., Any], *given: Any) -> Future[Any]:
    """Return a future whose work is done already: the kernels of a GPU run beside the program anyway."""
    done: Future[Any] = Future()
    done.set_result(work(*given))
    return done


@dataclass(frozen=True, eq=False)
class _Pending:
    """A batch whose crops are being written into its tensors; each of the futures returns the place of its crop."""

    batch: Batch
    crops: list[Future[tuple[int, int, int]]]

    def result(self) -> Batch:
        """Return the batch once it is complete."""
        places = [crop.result() for crop in self.crops]
        hinted = self.batch.hinted
        return replace(self.batch, places=places, hinted=None if hinted is None or (hinted < 0).all() else hinted)


class _BatchMaker:
    """Makes batches of augmented crops."""

    def __init__(self, crops: _Crops, augmenter: Augmenter, settings: TrainSettings, device: torch.device) -> None:
        self._crops, self._augmenter, self._settings, self._device = crops, augmenter, settings, device

    def start(self, first: int, read: dict[str, Any] | None, submit: Callable[..., Future[Any]]) -> _Pending:
        """Start making the batch of the crops from number `first`, which may have been read already."""
        count, shape = self._settings.batch_size, self._crops.shape
        ink, edge = (torch.empty(count, *shape[1:], dtype=torch.uint8, device=self._device) for _ in range(2))
        hinted = torch.empty(count, *shape[1:], device=self._device)
        batch = Batch(torch.empty(count, *shape, device=self._device), ink, edge, [], hinted)
        made = [
            submit(self._make, batch, i, first + i, None if read is None else {name: read[name][i] for name in read})
            for i in range(count)
        ]
        return _Pending(batch, made)

    def _make(self, batch: Batch, i: int, number: int, read: dict[str, Any] | None) -> tuple[int, int, int]:
        crop = self._crops[number] if read is None else read
        values, labels = (
            torch.as_tensor(crop[name]).to(self._device, non_blocking=True) for name in ("values", "labels")
        )
        values, labels = self._augmenter(values, labels, step_seed(self._settings.seed, number))
        assert batch.hinted is not None
        batch.values[i] = values
        batch.ink[i : i + 1], batch.edge[i : i + 1] = _targets(labels[None])
        batch.hinted[i] = hinted_ink(labels)
        pair, y, x = (int(place) for place in crop["place"])
        return pair, y, x


def _targets(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the targets of ink and edges; drawn edge labels overrule the outlines of the ink."""
    labels, drawn = ink_labels(packed), edge_labels(packed)
    edges = edge_targets(labels)
    for value, target in ((EdgeValue.EDGE, 1), (EdgeValue.NOT_EDGE, 0), (EDGE_UNKNOWN, IGNORE)):
        edges[drawn == value] = target
    return ink_targets(labels), edges


def step_seed(*numbers: int) -> int:
    """Return a seed for torch that is a hash of `numbers`, so that seeds of neighbouring steps are unrelated."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch's seeds are signed 64-bit integers


def spare_workers() -> int:
    """Return the number of processes for reading crops ahead: 0 on small machines and where forking is impossible."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    can_fork = "fork" in multiprocessing.get_all_start_methods() and sys.platform == "linux"
    return min(8, cores - 2) if can_fork and cores > 3 else 0
