"""Networks on a device: what every way of running them has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from napari_ink.errors import DeviceMemoryError
from napari_ink.model.inference import for_prediction
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.device import cores_left_free, device_title
from napari_ink.typing import Float32Array

T = TypeVar("T")


class Forward:
    """Runs networks on a device.

    Parameters
    ----------
    device
        Where.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def place(self, network: nn.Module) -> nn.Module:
        """Return a network on the device, set to predict; ours is copied into a faster form.

        Raises
        ------
        DeviceMemoryError
            If it does not fit there.
        """
        with self.translating_memory_errors():
            # Metal is left alone: nobody has measured there.
            fast = network if self.device.type == "mps" else for_prediction(network)
            return fast.to(self.device).eval()

    def __call__(self, work: Callable[[], T]) -> T:
        """Run a part of a network.

        Parameters
        ----------
        work
            Runs it, on tensors that lie on the device.

        Raises
        ------
        DeviceMemoryError
            If the device's memory does not hold it.
        """
        with self.translating_memory_errors(), torch.inference_mode(), _full_float32(self.device):
            return work()

    def probabilities(self, network: nn.Module, block: Float32Array) -> Float32Array:
        """Return what a network says of prepared grey values ``(b, z, y, x)``: ``(b, 2, y, x)``, as `rounded`.

        A core is left to others.
        """
        with cores_left_free():
            return self(lambda: rounded(torch.sigmoid(network(torch.from_numpy(block).to(self.device)).float())))

    @contextmanager
    def translating_memory_errors(self) -> Iterator[None]:
        """Say in words that memory ran out, as a `DeviceMemoryError`; on any thread."""
        try:
            yield
        except RuntimeError as error:
            raise self._explained(error) from error

    def _explained(self, error: RuntimeError) -> RuntimeError | DeviceMemoryError:
        """Return the error itself, unless it says that memory ran out."""
        text = str(error).lower()
        if "out of memory" not in text and "can't allocate memory" not in text:
            return error
        return DeviceMemoryError(
            f"The memory of {device_title(self.device)} does not hold a batch of tiles; close what else uses it, "
            "or choose another device."
        )


def rounded(probabilities: Tensor) -> Float32Array:
    """Return probabilities as the blending takes them: multiples of 1 / `PROBABILITY_STEPS`, on the CPU."""
    steps = (probabilities.contiguous() * PROBABILITY_STEPS).round_()
    values: Float32Array = steps.div_(PROBABILITY_STEPS).cpu().numpy()
    return values


def _full_float32(device: torch.device) -> AbstractContextManager[None]:
    """Keep cuDNN from TF32, its default: that moves probabilities by up to 0.008 (docs/decisions/0009-speed.md)."""
    if device.type != "cuda":
        return nullcontext()
    now = torch.backends.cudnn
    flags: AbstractContextManager[None] = now.flags(now.enabled, now.benchmark, allow_tf32=False)
    return flags
