"""Optimiser steps of a network, with its moving average, learning rate schedule and loss scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_ink.model.losses import edge_loss, hint_loss, ink_loss
from napari_ink.model.network import EDGE, INK, InkEdgeNetwork
from napari_ink.training.batching import Batch
from napari_ink.training.crops import TrainingPair
from napari_ink.training.distributed import ProcessTeam
from napari_ink.training.lanes import Lanes
from napari_ink.training.nonfinite import explain
from napari_ink.training.precision import Arithmetic
from napari_ink.training.settings import TrainSettings

_LEAST_RATE = 0.01
_LOWER_FROM = 2


@dataclass(frozen=True, slots=True)
class StepResult:
    """Losses, learning rate and gradient norm of a step."""

    ink_loss: float
    edge_loss: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """Report on a skipped step, and the learning rate of the next one."""

    report: str
    learning_rate: float


def rate_factor(step: int, steps: int, warm_up: float) -> float:
    """Return the learning rate as a factor of its peak: a linear warm-up, then half a cosine down to a hundredth."""
    warm = max(1, round(steps * warm_up))
    if step < warm:
        return (step + 1) / warm
    along = min(1.0, (step - warm) / max(1, steps - warm))
    return _LEAST_RATE + (1 - _LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * along))


class Learner:
    """A network in training.

    Parameters
    ----------
    network
        Network to train; it is moved to the device.
    settings
        Training settings.
    arithmetic
        Device and precision.
    team
        The processes that train together.
    starts_trained
        Whether the weights are of a trained network; the average then starts at them and moves slowly from the start.

    Attributes
    ----------
    network : Module
        Network with the newest weights.
    average : AveragedModel
        Network with the moving average of the weights, which predicts better.
    skipped_in_a_row : int
        Number of batches skipped since the last step.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: TrainSettings,
        arithmetic: Arithmetic,
        team: ProcessTeam,
        starts_trained: bool = False,
    ) -> None:
        self._settings, self._arithmetic, self._team = settings, arithmetic, team
        self.network = network.to(arithmetic.device)
        self.average = AveragedModel(
            self.network, multi_avg_fn=partial(_average, settings.average_decay, starts_trained)
        )
        self.average.n_averaged.fill_(
            int(starts_trained)
        )  # at 0, the first update would copy the weights instead of averaging
        self._spread = DistributedDataParallel(self.network) if team.size > 1 else self.network
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            # On a CPU torch's default passes over the weights once for each operation.
            fused=True if arithmetic.lanes else None,
        )
        self._schedule = LambdaLR(self._optimiser, partial(rate_factor, steps=settings.steps, warm_up=settings.warm_up))
        self._scaler = arithmetic.scaler()
        self._lanes: Lanes | None = None
        if arithmetic.lanes and isinstance(network, InkEdgeNetwork) and team.size == 1:
            self._lanes = Lanes(network, settings, arithmetic)
        self.skipped_in_a_row = 0

    def close(self) -> None:
        """End the threads of the lanes."""
        if self._lanes is not None:
            self._lanes.close()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def step(self, batch: Batch, pairs: Sequence[TrainingPair]) -> StepResult | StepSkipped:
        """Train on a batch; skip it, with the weights unchanged, if its loss or gradient is not finite."""
        if self._lanes is None:
            return self._step(batch, pairs)
        with self._lanes.one_thread():
            return self._step(batch, pairs)

    def _step(self, batch: Batch, pairs: Sequence[TrainingPair]) -> StepResult | StepSkipped:
        # Batch norm updates its running statistics in the forward pass, before a bad loss is known.
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        rate = self.learning_rate
        losses = self._losses(batch)
        ink, edge = (float(loss.detach()) for loss in losses)
        if not self._team.all_agree(math.isfinite(ink) and math.isfinite(edge), self._arithmetic.device):
            return self._skip(batch, pairs, statistics, f"The loss is not finite (ink {ink:.4g}, edge {edge:.4g})")
        norm = self._gradients(losses[0] + self._settings.edge_weight * losses[1])
        if not math.isfinite(norm):  # the same in all processes, since gradients are averaged over them
            self._scaler.update()  # lowers the factor that made fp16 overflow
            return self._skip(batch, pairs, statistics, f"The gradient is not finite (its norm is {norm:.4g})")
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._schedule.step()
        self.average.update_parameters(self.network)
        self.skipped_in_a_row = 0
        return StepResult(ink, edge, rate, norm)

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.network.train()
        if self._settings.freeze_norms:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        if self._lanes is not None:
            return self._lanes.losses(batch)
        with self._arithmetic.autocast():
            logits = self._spread(batch.values)  # (b, 2, y, x)
        ink = ink_loss(logits[:, INK], batch.ink)
        if batch.hinted is not None:
            ink = ink + self._settings.hint_weight * hint_loss(logits[:, INK], batch.hinted)
        return ink, edge_loss(logits[:, EDGE], batch.edge, self._settings.edge_tolerance_px)

    def _gradients(self, loss: Tensor) -> float:
        """Compute and clip the gradients, and return their norm before clipping."""
        self._optimiser.zero_grad(set_to_none=True)
        scaled = self._scaler.scale(loss)
        if self._lanes is not None:
            self._lanes.backward(scaled)
        else:
            scaled.backward()  # type: ignore[no-untyped-call]
        # Clipping needs the gradients' true size.
        self._scaler.unscale_(self._optimiser)
        return float(nn.utils.clip_grad_norm_(self.network.parameters(), self._settings.clip_norm))

    def _skip(
        self, batch: Batch, pairs: Sequence[TrainingPair], statistics: Sequence[Tensor], found: str
    ) -> StepSkipped:
        _restore(self.network, statistics)
        report = explain(self.network, batch, self._arithmetic, pairs, found)
        _restore(self.network, statistics)
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= _LOWER_FROM:
            # The schedule computes later rates from these, and the optimiser uses the current one: halve both.
            self._schedule.base_lrs = [rate / 2 for rate in self._schedule.base_lrs]
            for group in self._optimiser.param_groups:
                group["lr"] = group["lr"] / 2
        return StepSkipped(report, self.learning_rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole training state as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
            "skipped_in_a_row": self.skipped_in_a_row,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
        self.skipped_in_a_row = state["skipped_in_a_row"]


def _average(decay: float, starts_trained: bool, averaged: Any, newest: Any, count: Tensor | int) -> None:
    """Move the average towards the newest weights; when training from scratch, faster at first to forget the start."""
    keep = decay if starts_trained else min(decay, (int(count) + 1) / (int(count) + 20))
    get_ema_multi_avg_fn(keep)(averaged, newest, count)  # type: ignore[no-untyped-call]


@torch.no_grad()
def _restore(network: nn.Module, statistics: Sequence[Tensor]) -> None:
    for buffer, before in zip(network.buffers(), statistics, strict=True):
        buffer.copy_(before)
