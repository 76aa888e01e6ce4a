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

_TRIALS = 3
_WORTH_CHOOSING_S = 0.02
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


class ThreadChoice:
    """How many threads the network is given: tried out on the first batches, which are work done all the same.

    More are not always faster: hyper-threads share a core, and small planes are not worth splitting.

    Parameters
    ----------
    most
        Threads to begin with; a half and a quarter of them are tried as well.

    Attributes
    ----------
    now : int
        Threads to give to the next batch.
    """

    def __init__(self, most: int) -> None:
        self.now = most
        counts = sorted({max(most // part, 1) for part in (1, 2, 4)}, reverse=True)
        # The first batch warms up; after it each count is tried in turn, since other work comes and goes.
        self._turns = [n for _ in range(_TRIALS) for n in counts] if len(counts) > 1 else []
        self._seconds: dict[int, float] = {}
        self._is_warm = False

    def tell(self, seconds: float) -> None:
        """Note how long a tile took in the last batch, and choose for the next."""
        if self._is_warm:
            self._seconds[self.now] = min(seconds, self._seconds.get(self.now, seconds))
        elif seconds < _WORTH_CHOOSING_S:
            self._turns = []
        self._is_warm = True
        if self._turns:
            self.now = self._turns.pop(0)
        elif self._seconds:
            self.now = min(self._seconds, key=lambda n: (self._seconds[n], n))
            self._seconds = {}


@contextmanager
def cores_left_free(spared: int = 1, most: int | None = None) -> Iterator[None]:
    """Keep torch off the last `spared` cores, so that a window stays quick, and restore after.

    Parameters
    ----------
    spared
        Cores that stay free; one is used all the same.
    most
        Threads that torch may have at most; None for as many as it has now.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(min(before, usable_cores() - spared, most or before), 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
