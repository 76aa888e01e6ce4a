"""The device that the network runs on, and how many tiles and processor cores it gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]

# The tiles, cells and activations of a lane take memory; eight lanes fill an ordinary machine.
_MOST_LANES = 8
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
        raise BadInputError(f"The device {name} is not available here; {_ADVICE[name]}.")
    return torch.device(name)


def device_title(device: torch.device) -> str:
    """Return a device's name for messages."""
    import torch

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA)"
    return "the Apple GPU (MPS)" if device.type == "mps" else "the CPU"


# A tile takes some 2 GB in float32.
_LARGE_ON_A_GPU = 2


def default_batch_size(device: torch.device, tile: tuple[int, int], is_large: bool = False) -> int:
    """Return how many tiles of a given height and width go through the network together.

    One tile of 256 × 256 pixels keeps a CPU busy: more only take memory and make Cancel slow. A GPU needs more. Of a
    large network, whatever the size of its tiles, a CPU gets one at a time and a GPU a few.
    """
    if is_large:
        return 1 if device.type == "cpu" else _LARGE_ON_A_GPU
    tiles_of_256 = 1 if device.type == "cpu" else 8
    most = 4 if device.type == "cpu" else 32
    return min(max(tiles_of_256 * 256 * 256 // (tile[0] * tile[1]), 1), most)


def usable_cores() -> int:
    """Return how many processor cores this process may run on."""
    # Fewer than the machine has in a container or a batch job; macOS and Windows do not report it.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores_for_torch(spared: int = 0) -> int:
    """Return how many cores a network may use: as many as torch would, which ``OMP_NUM_THREADS`` limits.

    Parameters
    ----------
    spared
        Number of cores to leave free; at least one is used in any case.
    """
    import torch

    return max(min(torch.get_num_threads(), usable_cores() - spared), 1)


def lanes_for(
    device: torch.device, cores: int, tile: tuple[int, int], has_shared_stem: bool = False
) -> tuple[int, int]:
    """Return the number of batches that are computed side by side, and the number of threads for each.

    On a CPU each batch gets one thread, unless memory limits the number of batches: a tile of 256 × 256 pixels takes
    about 80 MB.
    """
    if device.type != "cpu":
        return 1, cores
    # Without a shared stem, a tile of 768 pixels takes some 260 MB; the run uses fewer cores if memory runs out.
    room = _MOST_LANES if has_shared_stem else max(_MOST_LANES * 256 * 256 // (tile[0] * tile[1]), 1)
    lanes = min(cores, room, _MOST_LANES)
    return lanes, cores // lanes


@contextmanager
def cores_left_free(spared: int = 1) -> Iterator[None]:
    """Let torch use all but `spared` cores, so that the window stays responsive; restore the setting afterwards.

    Parameters
    ----------
    spared
        Number of cores to leave free; at least one is used in any case.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(cores_for_torch(spared))
    try:
        yield
    finally:
        torch.set_num_threads(before)
