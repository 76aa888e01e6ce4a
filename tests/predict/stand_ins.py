"""Small real stacks and small real networks, for tests with a known result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_ink.model import InkEdgeConfig, InkModel, InputContract
from napari_ink.predict import PredictRequest, predict
from napari_ink.stack import DepthStack, open_stack


class Constant(nn.Module):
    """The same two logits everywhere."""

    def __init__(self, ink: float, edge: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([float(ink), float(edge)]))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[None, :, None, None].expand(len(x), 2, *x.shape[-2:])


class Smear(nn.Module):
    """Two fixed blurs of the brightest layer: outputs depend on the surroundings and borders of a tile."""

    def __init__(self, size: int = 15) -> None:
        super().__init__()
        self.blur = nn.Conv2d(1, 2, size, padding=size // 2, bias=False)
        with torch.no_grad():
            self.blur.weight.copy_(torch.linspace(-1, 1, 2 * size * size).reshape(2, 1, size, size) / size)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = 3 * self.blur(x.amax(dim=1, keepdim=True))
        return logits


class NotANumber(nn.Module):
    """Fails on blocks whose mean is high."""

    def forward(self, x: Tensor) -> Tensor:
        logits = x[:, :2] * 0
        logits[x.mean(dim=(1, 2, 3)) > 1] = torch.nan
        return logits


class OutOfMemory(nn.Module):
    """Raises CUDA's error."""

    def forward(self, x: Tensor) -> Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


class Hungry(nn.Module):
    """Runs out of memory above a number of pixels; its outputs equal those of `Smear`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.inner = most, Smear()

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] * x.shape[2] * x.shape[3] > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        logits: Tensor = self.inner(x)
        return logits


def ink_model(network: nn.Module, tile_size: int = 32, divisor: int = 8, **contract: Any) -> InkModel:
    """Wrap a network; `divisor` replaces the attribute that `InkEdgeNetwork` defines."""
    network.size_divisor = divisor  # type: ignore[assignment]
    settings = {"depth_layers": 5, "min_depth_layers": 2, "mean": 0.5, "std": 0.25, "voxel_size_um": 7.91}
    fits = InputContract(**{**settings, "tile_size": tile_size, **contract})
    return InkModel("stand-in", network.eval(), InkEdgeConfig.tiny(), fits, {"data": "none"}, "0" * 64)


def make_stack(folder: Path, shape: tuple[int, int, int], seed: int = 0, dtype: type = np.uint16) -> DepthStack:
    """Write noise of a shape to a .npy file and open it."""
    top = np.iinfo(dtype).max
    path = folder / "segment.npy"
    np.save(path, np.random.default_rng(seed).integers(0, top, shape, dtype=dtype, endpoint=True))
    return open_stack(path)


def run(request: PredictRequest) -> list[Any]:
    """Run to the end and return all events."""
    return list(predict(request))


def run_until(request: PredictRequest, stop: Callable[[Any], bool]) -> list[Any]:
    """Run until an event fulfils `stop`, then close the generator, as Cancel does."""
    events, seen = predict(request), []
    for event in events:
        seen.append(event)
        if stop(event):
            break
    events.close()
    return seen
