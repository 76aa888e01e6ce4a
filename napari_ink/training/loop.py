"""The training loop: a generator of frozen events, so that whoever runs it decides how to show it and when to stop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_ink.errors import NapariInkError
from napari_ink.model import InkEdgeConfig, InputContract, save_checkpoint
from napari_ink.model.losses import edge_loss, ink_loss
from napari_ink.model.network import EDGE, INK, InkEdgeNetwork
from napari_ink.training.crops import Crop, CropSampler, TrainingPair


@dataclass(frozen=True)
class TrainRequest:
    """All that a training run follows from; times aside, the same request gives the same weights on one machine."""

    pairs: list[TrainingPair]
    config: InkEdgeConfig
    contract: InputContract
    out: Path
    steps: int
    batch_size: int = 8
    crop_size: int = 160
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    edge_weight: float = 0.5
    edge_tolerance_px: int = 1
    seed: int = 0
    device: str = "cpu"
    save_every: int = 200
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepEnded:
    """One optimiser step: its number, its losses, and the seconds since training began."""

    step: int
    ink_loss: float
    edge_loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """The averaged weights after `step` steps lie at `path`."""

    step: int
    path: Path


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return a short linear warm-up followed by half a cosine down to a hundredth of the peak."""
    warm = max(1, steps // 25)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))


def train(request: TrainRequest) -> Iterator[StepEnded | CheckpointSaved]:
    """Train a network from scratch, saving an exponential moving average of its weights.

    Raises
    ------
    NapariInkError
        If the loss stops being a number.
    """
    torch.manual_seed(request.seed)
    network = InkEdgeNetwork(request.config).to(request.device)
    average = copy.deepcopy(network).eval()
    sampler = CropSampler(request.pairs, request.contract, request.crop_size)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.0, weight_decay=request.weight_decay)
    rng = np.random.default_rng(request.seed)
    began = time.monotonic()
    for step in range(request.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, request.steps, request.learning_rate)
        batch = [sampler.draw(rng) for _ in range(request.batch_size)]
        losses = _step(network, optimiser, batch, request)
        if not all(map(math.isfinite, losses)):
            raise NapariInkError(f"The loss is {losses} at step {step + 1}; lower the learning rate and train again.")
        _follow(average, network, min(0.995, (step + 1) / (step + 20)))
        yield StepEnded(step + 1, *losses, seconds=time.monotonic() - began)
        if (step + 1) % request.save_every == 0 or step + 1 == request.steps:
            yield CheckpointSaved(step + 1, _save(average, request, step + 1))


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, batch: list[Crop], request: TrainRequest
) -> tuple[float, float]:
    def gather(planes: list[Any]) -> Tensor:
        return torch.from_numpy(np.stack(planes)).to(request.device)

    network.train()
    logits = network(gather([c.values for c in batch]))  # (b, 2, y, x)
    ink = ink_loss(logits[:, INK], gather([c.ink for c in batch]))
    edge = edge_loss(logits[:, EDGE], gather([c.edge for c in batch]), request.edge_tolerance_px)
    optimiser.zero_grad(set_to_none=True)
    (ink + request.edge_weight * edge).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(ink.detach()), float(edge.detach())


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the network's; running statistics are copied as they are."""
    for weight, new in zip(average.parameters(), network.parameters(), strict=True):
        weight.lerp_(new, 1 - decay)
    for statistic, now in zip(average.buffers(), network.buffers(), strict=True):
        statistic.copy_(now)


def _save(network: nn.Module, request: TrainRequest, step: int) -> Path:
    provenance = request.provenance | {
        "steps": step,
        "batch_size": request.batch_size,
        "crop_size": request.crop_size,
        "learning_rate": request.learning_rate,
        "edge_tolerance_px": request.edge_tolerance_px,
        "seed": request.seed,
        "torch": torch.__version__,
    }
    return save_checkpoint(request.out, network, request.config, request.contract, provenance)
