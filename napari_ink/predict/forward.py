"""Batches through the network; the one module of this room that is torch all through."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_ink.errors import DeviceMemoryError
from napari_ink.model.inference import for_prediction
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.device import ThreadChoice, cores_left_free, device_title, usable_cores
from napari_ink.predict.region import Region

Float32Array = npt.NDArray[np.float32]


class Forward:
    """A network on a device, from prepared grey values to probabilities.

    Parameters
    ----------
    network
        Maps ``(b, z, y, x)`` to logits ``(b, 2, y, x)``; ours is copied into a faster form, any other is moved to the
        device and set to predict.
    device
        Where it runs.

    Raises
    ------
    DeviceMemoryError
        If it does not fit there.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._threads = ThreadChoice(max(min(torch.get_num_threads(), usable_cores() - 1), 1))
        try:
            # Metal is left alone: nobody has measured there.
            self._network = (network if device.type == "mps" else for_prediction(network)).to(device).eval()
        except RuntimeError as error:
            raise self._explained(error) from error

    def __call__(self, block: Float32Array, tiles: Sequence[Region]) -> Float32Array:
        """Predict a batch.

        Parameters
        ----------
        block
            Prepared grey values ``(b, z, y, x)``, C-contiguous; used in place on a CPU.
        tiles
            Where its tiles lie, for messages.

        Returns
        -------
        ndarray
            Probabilities of ink and edge ``(b, 2, y, x)``, rounded to `PROBABILITY_STEPS`; NaN where the network gives
            none.

        Raises
        ------
        DeviceMemoryError
            If the device's memory does not hold the batch.
        """
        # Bounded batch by batch rather than over the run: whoever consumes the events has all threads in between.
        with cores_left_free(most=self._threads.now):
            began = time.perf_counter()
            try:
                probabilities = _probabilities(self._network, torch.from_numpy(block), self._device)
            except RuntimeError as error:
                raise self._explained(error) from error
        if self._device.type == "cpu":
            self._threads.tell((time.perf_counter() - began) / len(tiles))
        return probabilities

    def _explained(self, error: RuntimeError) -> RuntimeError | DeviceMemoryError:
        """Return the error itself, unless it says that memory ran out."""
        text = str(error).lower()
        if "out of memory" not in text and "can't allocate memory" not in text:
            return error
        return DeviceMemoryError(
            f"The memory of {device_title(self._device)} does not hold a batch of tiles; close what else uses it, "
            "or choose another device."
        )


@torch.inference_mode()
def _probabilities(network: nn.Module, block: torch.Tensor, device: torch.device) -> Float32Array:
    with _full_float32(device):
        logits = network(block.to(device))
    steps = torch.sigmoid(logits.float()).mul_(PROBABILITY_STEPS).round_()
    values: Float32Array = steps.div_(PROBABILITY_STEPS).cpu().numpy()
    return values


def _full_float32(device: torch.device) -> AbstractContextManager[None]:
    """Keep cuDNN from TF32, its default: that moves probabilities by up to 0.008 (docs/decisions/0009-speed.md)."""
    if device.type != "cuda":
        return nullcontext()
    now = torch.backends.cudnn
    flags: AbstractContextManager[None] = now.flags(now.enabled, now.benchmark, allow_tf32=False)
    return flags
