"""The forward pass of networks on a device: memory errors, precision and rounding."""

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
from napari_ink.predict.precision import NumberFormat
from napari_ink.typing import Float32Array

T = TypeVar("T")


class Forward:
    """Runs networks on a device.

    Parameters
    ----------
    device
        Device to run on.
    number_format
        Number format that our own networks compute in.
    """

    def __init__(self, device: torch.device, number_format: NumberFormat = "float32") -> None:
        self.device = device
        self._dtype = torch.bfloat16 if number_format == "bfloat16" else torch.float32

    def place(self, network: nn.Module) -> nn.Module:
        """Return a network on the device in evaluation mode; our own network is copied into a faster form.

        Raises
        ------
        DeviceMemoryError
            If the network does not fit into the device's memory.
        """
        with self.translating_memory_errors():
            # Not on Metal: whether the faster form is faster there has not been measured.
            fast = network if self.device.type == "mps" else for_prediction(network, self._dtype)
            return fast.to(self.device).eval()

    def __call__(self, work: Callable[[], T]) -> T:
        """Run a part of a network without gradients and without TF32, and return its result.

        Parameters
        ----------
        work
            Function that runs it, on tensors on the device.

        Raises
        ------
        DeviceMemoryError
            If the work does not fit into the device's memory.
        """
        with self.translating_memory_errors(), torch.inference_mode(), _full_float32(self.device):
            return work()

    def probabilities(self, network: nn.Module, block: Float32Array) -> Float32Array:
        """Return a network's probabilities of prepared grey values ``(b, z, y, x)``: ``(b, 2, y, x)``, see `rounded`.

        One processor core stays free for other work.
        """
        with cores_left_free():
            return self(lambda: rounded(torch.sigmoid(network(torch.from_numpy(block).to(self.device)).float())))

    @contextmanager
    def translating_memory_errors(self) -> Iterator[None]:
        """Raise torch's errors about memory as a `DeviceMemoryError`; usable on any thread."""
        try:
            yield
        except RuntimeError as error:
            raise self._translated(error) from error

    def _translated(self, error: RuntimeError) -> RuntimeError | DeviceMemoryError:
        """Return a `DeviceMemoryError` if the error is about memory, else the error itself."""
        # By its text: torch has an error class of its own for CUDA only, and the CPU raises a plain RuntimeError.
        text = str(error).lower()
        if "out of memory" not in text and "can't allocate memory" not in text:
            return error
        return DeviceMemoryError(
            f"The memory of {device_title(self.device)} cannot hold a batch of tiles; close other programs that use "
            "it, or choose another device."
        )


def rounded(probabilities: Tensor) -> Float32Array:
    """Return probabilities rounded to multiples of 1 / `PROBABILITY_STEPS`, float32 on the CPU, as `blending` needs."""
    # In place, since a batch of probabilities is large; `contiguous` copies views so that they stay unchanged.
    steps = (probabilities.contiguous() * PROBABILITY_STEPS).round_()
    values: Float32Array = steps.div_(PROBABILITY_STEPS).cpu().numpy()
    return values


def _full_float32(device: torch.device) -> AbstractContextManager[None]:
    """Keep cuDNN from using TF32, its default, which changes probabilities by up to 0.008 (decision 0009)."""
    if device.type != "cuda":
        return nullcontext()
    now = torch.backends.cudnn
    flags: AbstractContextManager[None] = now.flags(now.enabled, now.benchmark, allow_tf32=False)
    return flags
