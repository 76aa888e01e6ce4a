"""Where the network runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]

_ADVICE = {
    "cuda": "install a CUDA build of torch and NVIDIA's driver, or choose auto or cpu",
    "mps": "it takes a Mac with Apple silicon; choose auto or cpu",
}


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``"auto"`` picks CUDA, then MPS, then the CPU.

    Raises
    ------
    BadInputError
        If this machine has no such device.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in present.items() if is_there)
    if name not in present:
        raise BadInputError(f"There is no device called {name!r}; choose auto, cpu, cuda or mps.")
    if not present[name]:
        raise BadInputError(f"The device {name} is not available here: {_ADVICE[name]}.")
    return torch.device(name)


def device_title(device: torch.device) -> str:
    """Return a device in words, for a person."""
    import torch

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA)"
    return "the Apple GPU (MPS)" if device.type == "mps" else "the CPU"


def default_batch_size(device: torch.device, tile: tuple[int, int]) -> int:
    """Return how many tiles of a size go through the network together.

    A CPU is busy with one tile of 256 pixels a side: more only take memory and make Cancel slow. A GPU is not.
    """
    tiles_of_256 = 1 if device.type == "cpu" else 8
    most = 4 if device.type == "cpu" else 32
    return min(max(tiles_of_256 * 256 * 256 // (tile[0] * tile[1]), 1), most)


def usable_cores() -> int:
    """Return how many processor cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def cores_left_free(spared: int = 1) -> Iterator[None]:
    """Keep torch off the last `spared` cores (but on one at least), so that a window stays quick, and restore after."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(min(before, usable_cores() - spared), 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
