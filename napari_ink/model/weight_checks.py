"""Checks of weights from other people's files: that they are the ones of a network, and finite numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.errors import CheckpointError
from napari_ink.model.unknown_weights import EXPORT_IT, short

if TYPE_CHECKING:
    from torch import Tensor, nn

_MOST_NAMED = 3


def check_layout(path: Path, kind: str, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not exactly those of a network, by name, size and kind of number.

    Parameters
    ----------
    path
        File that holds them.
    kind
        Name of the network's family.
    network
        Network, which needs no memory.
    weights
        Weights by name.

    Raises
    ------
    CheckpointError
        If a weight is missing, unknown, of another size, or holds no floating-point numbers.
    """
    wanted = network.state_dict()
    differing = {
        "missing": [name for name in wanted if name not in weights],
        "unknown": [name for name in weights if name not in wanted],
        "of another size": [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape],
    }
    if parts := [f"{what}: {_listed(names)}" for what, names in differing.items() if names]:
        raise CheckpointError(f"{path} is not laid out like {kind} ({'; '.join(parts)}); {EXPORT_IT}.")
    for name, weight in weights.items():
        # Counters, which are whole numbers, may be stored as any numbers.
        if wanted[name].is_floating_point() and not weight.is_floating_point():
            stored = str(weight.dtype).removeprefix("torch.")
            raise CheckpointError(
                f"{path} holds {short(name)} as {stored}, and only floating-point weights are read; save it again with "
                "float32 weights."
            )


def full_precision(path: Path, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in float32, since files may hold half precision, which few CPUs compute in.

    Raises
    ------
    CheckpointError
        If a weight is infinite or not a number.
    """
    full = {name: weight.float() if weight.is_floating_point() else weight for name, weight in weights.items()}
    check_finite(path, full)
    return full


def check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are infinite or not a number.

    Raises
    ------
    CheckpointError
        If there is one.
    """
    import torch

    for name, weight in weights.items():
        if not torch.isfinite(weight.float()).all():  # smaller types know no such test
            raise CheckpointError(
                f"{path} holds numbers that are infinite or not a number, in {short(name)}; fetch it again, or choose "
                "another checkpoint of the run."
            )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(map(short, names[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
