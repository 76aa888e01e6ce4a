"""Several processes that train one network, as `torchrun` starts them; mostly there is but one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

import torch
from torch import distributed

from napari_ink.training.settings import Precision


@dataclass(frozen=True, slots=True)
class ProcessTeam:
    """The number of this process among those that train together, and how many they are."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def all_agree(self, flag: bool, device: torch.device) -> bool:
        """Return whether the flag holds in every process."""
        if self.size == 1:
            return flag
        held = torch.tensor(int(flag), device=device)
        distributed.all_reduce(held, distributed.ReduceOp.MIN)
        return bool(held)

    def as_leader_says(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """Return the leader's numbers, of which there are as many everywhere."""
        if self.size == 1:
            return list(numbers)
        said = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.broadcast(said, 0)
        return [float(number) for number in said]

    def precision(self, mine: Precision, device: torch.device) -> Precision:
        """Return the leader's choice of a precision, as processes may run on different processors."""
        kinds: tuple[Precision, ...] = get_args(Precision)
        return kinds[int(self.as_leader_says([kinds.index(mine)], device)[0])]


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[ProcessTeam, torch.device]]:
    """Join the processes that `torchrun` has started beside this one, if it did; each takes a GPU of its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield ProcessTeam(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessTeam(int(os.environ["RANK"]), size), device
    finally:
        distributed.destroy_process_group()
