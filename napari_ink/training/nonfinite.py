"""Report on a loss or gradient that is not finite, with the crops and the layer that it started in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from napari_ink.training.batching import Batch
from napari_ink.training.crops import TrainingPair
from napari_ink.training.precision import Arithmetic


def explain(network: nn.Module, batch: Batch, arithmetic: Arithmetic, pairs: Sequence[TrainingPair], found: str) -> str:
    """Run a batch again, and return a report on its crops and the first layer with an output that is not finite.

    Parameters
    ----------
    network
        Network before the batch; this changes its running statistics, which the caller must restore.
    batch
        Batch whose loss or gradient was not finite.
    arithmetic
        Device and precision of the training.
    pairs
        Pairs that the crops come from.
    found
        Sentence on what was not finite, without a full stop.
    """
    crops = "; ".join(_crop(pairs, place, values) for place, values in zip(batch.places, batch.values, strict=True))
    first = _first_not_finite(network, batch.values, arithmetic) or "every layer's output is finite without gradients"
    weights = [name for name, weight in network.named_parameters() if not weight.isfinite().all()]
    damaged = f" Weights that are not finite: {', '.join(weights[:5])}." if weights else ""
    return f"{found}. Crops: {crops}. In the network: {first}.{damaged}"


def _crop(pairs: Sequence[TrainingPair], place: tuple[int, int, int], values: Tensor) -> str:
    pair, y, x = place
    strongest = int(values.abs().amax(dim=(1, 2)).argmax())
    return (
        f"{pairs[pair].stack.name} at y {y}, x {x} (values {_range(values)}, the largest in layer {strongest} of the "
        f"{len(values)} read)"
    )


def _range(values: Tensor) -> str:
    finite = values[values.isfinite()].float()
    lost = values.numel() - finite.numel()
    text = f"{float(finite.min()):.3g} to {float(finite.max()):.3g}" if finite.numel() else "none finite"
    return text if not lost else f"{text}, {lost} of {values.numel()} not finite"


@torch.no_grad()
def _first_not_finite(network: nn.Module, values: Tensor, arithmetic: Arithmetic) -> str | None:
    found: list[str] = []

    def watcher(name: str) -> Callable[..., None]:
        def watch(module: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
            if isinstance(gave, Tensor) and not found and not gave.isfinite().all():
                read = next((_range(one) for one in given if isinstance(one, Tensor)), "nothing")
                found.append(f"{name} ({type(module).__name__}) received {read} and returned {_range(gave)}")

        return watch

    with ExitStack() as hooks, arithmetic.autocast():
        for name, module in network.named_modules():
            # Only leaves: a module with children would report what one of them gave.
            if not any(True for _ in module.children()):
                hooks.callback(module.register_forward_hook(watcher(name)).remove)
        network(values)
    return found[0] if found else None
