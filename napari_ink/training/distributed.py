"""Training of one network by several processes that `torchrun` starts; usually there is only one."""

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
    """Rank of this process, and number of processes that train together."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the leader, which writes files."""
        return self.rank == 0

    def all_agree(self, flag: bool, device: torch.device) -> bool:
        """Return whether the flag is true in all processes."""
        if self.size == 1:
            return flag
        # If one process skipped a step alone, the others would wait for its gradients forever.
        held = torch.tensor(int(flag), device=device)
        distributed.all_reduce(held, distributed.ReduceOp.MIN)
        return bool(held)

    def as_leader_says(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """Return the leader's numbers; all processes must pass the same count."""
        if self.size == 1:
            return list(numbers)
        shared = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.broadcast(shared, 0)
        return [float(number) for number in shared]

    def precision(self, mine: Precision, device: torch.device) -> Precision:
        """Return the leader's precision, since processes may run on different hardware."""
        kinds: tuple[Precision, ...] = get_args(Precision)
        return kinds[int(self.as_leader_says([kinds.index(mine)], device)[0])]


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[ProcessTeam, torch.device]]:
    """Join the processes that `torchrun` started, if any, and yield the team and this process's device."""
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
