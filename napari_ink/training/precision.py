"""The arithmetic that the network is trained in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_ink.training.settings import Precision

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_WORTH_IT = 0.8


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Where the network runs, and in which precision; weights, and sums over many values, stay float32."""

    device: torch.device
    precision: Precision

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run what torch holds to be safe in the lower precision, if any."""
        dtype = _DTYPES.get(self.precision)
        with torch.autocast(self.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            yield

    def scaler(self) -> torch.amp.GradScaler:
        """Return what keeps small gradients from vanishing in fp16; with other precisions it does nothing."""
        # 2^12, as the usual 2^16 makes the first steps of a training overflow.
        return torch.amp.GradScaler(self.device.type, init_scale=4096.0, enabled=self.precision == "fp16")


def choose_precision(asked: Precision, device: torch.device, network: nn.Module, sample: Tensor) -> Precision:
    """Return the precision that ``"auto"`` stands for: bf16 where it is faster.

    A GPU is asked whether it knows bf16. On a CPU both are timed, as some only emulate it, a hundred times slower.

    Parameters
    ----------
    asked
        What the user set.
    device
        Where the network is trained.
    network
        It is left as it was.
    sample
        Values ``(b, z, y, x)`` to try on a CPU.
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type != "cpu":
        return "fp32"
    network.eval()  # so that its running means do not move
    sample = sample[..., : min(64, sample.shape[-2]), : min(64, sample.shape[-1])]
    seconds = {kind: _seconds(Arithmetic(device, kind), network, sample) for kind in ("bf16", "fp32")}
    return "bf16" if seconds["bf16"] < _WORTH_IT * seconds["fp32"] else "fp32"


def _seconds(arithmetic: Arithmetic, network: nn.Module, sample: Tensor) -> float:
    """Return the shortest of three passes forth and back."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        with arithmetic.autocast():
            total = network(sample).float().sum()
        total.backward()
        times.append(time.perf_counter() - began)
    network.zero_grad(set_to_none=True)
    return min(times)
