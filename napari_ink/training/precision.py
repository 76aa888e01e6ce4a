"""Device and precision of the training's arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from napari_ink.model.bfloat16 import has_bfloat16
from napari_ink.training.settings import Precision

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Device and precision of the network's arithmetic; weights and long sums stay float32.

    Attributes
    ----------
    device, precision
        Device and precision.
    lanes
        Parts of a batch that are computed side by side on a CPU; 0 for plain modules, as on a GPU.
    """

    device: torch.device
    precision: Precision
    lanes: int = 0

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run operations that torch considers safe in the lower precision, if there is one."""
        dtype = _DTYPES.get(self.precision)
        with torch.autocast(self.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            yield

    def scaler(self) -> torch.amp.GradScaler:
        """Return the loss scaling that keeps small gradients from vanishing in fp16; otherwise it is disabled."""
        # 2^12, since torch's default of 2^16 makes the first steps of a training overflow.
        return torch.amp.GradScaler(self.device.type, init_scale=4096.0, enabled=self.precision == "fp16")


def choose_precision(asked: Precision, device: torch.device) -> Precision:
    """Return the precision that ``"auto"`` stands for: bf16 if the processor supports it, else fp16 on a GPU or fp32.

    It depends only on the hardware: if it were timed, the same seed would give other weights on a busy machine. A
    processor that only emulates bf16 is a hundred times slower with it.

    Parameters
    ----------
    asked
        The user's setting; anything but ``"auto"`` is returned as it is.
    device
        Device of the training.
    """
    if asked != "auto":
        return asked
    if has_bfloat16(device):
        return "bf16"
    return "fp16" if device.type == "cuda" else "fp32"
