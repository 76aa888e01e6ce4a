"""Scaling of each tile by its own grey values, which some networks are trained with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from napari_ink.model.outputs import NOWHERE_LOGIT

_LOWEST, _HIGHEST = 0.01, 0.99
# The median absolute deviation of a normal distribution, times this, is its standard deviation.
_TO_DEVIATION = 1.4826
_FLAT = 1e-6


class CropScaled(nn.Module):
    """A network that sees each tile clipped to its own 1st…99th percentile, less its median, divided by its spread.

    The spread is 1.4826 times the median absolute deviation; if most of a tile is one value, its standard deviation,
    or half the range of its percentiles, or 1.

    Parameters
    ----------
    network
        Maps scaled tiles ``(b, z, y, x)`` to logits ``(b, 2, y, x)``.
    tile
        Height and width of a tile.

    Attributes
    ----------
    size_divisor, fixed_tile : int
        Height and width of an input: tiles of another size would be scaled otherwise, and give other values.
    """

    def __init__(self, network: nn.Module, tile: int) -> None:
        super().__init__()
        self.network = network
        self.size_divisor = self.fixed_tile = tile

    def forward(self, x: Tensor) -> Tensor:
        """Map grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``; a tile of a single value has no ink or edges."""
        logits: Tensor = self.network(scaled_by_crop(x))
        # Such tiles lie beside the papyrus. A network's norms would turn their zeros into arbitrary values.
        is_blank = x.flatten(1).amax(1) == x.flatten(1).amin(1)
        return torch.where(is_blank[:, None, None, None], NOWHERE_LOGIT, logits)


def scaled_by_crop(x: Tensor) -> Tensor:
    """Scale each tile of ``(b, z, y, x)`` by its own percentiles, median and median absolute deviation."""
    values = x.flatten(1)
    low, middle, high = _quantiles(values, (_LOWEST, 0.5, _HIGHEST))
    # Clipping moves no value across the median.
    clipped = values.clamp(low, high)
    (deviation,) = _quantiles((clipped - middle).abs(), (0.5,))
    spread = _TO_DEVIATION * deviation
    for other in (values.std(1, correction=0, keepdim=True), (high - low) / 2, torch.ones_like(spread)):
        spread = torch.where(spread < _FLAT, other, spread)
    return ((clipped - middle) / spread).reshape(x.shape)


def _quantiles(values: Tensor, shares: tuple[float, ...]) -> list[Tensor]:
    """Return quantiles of each row of ``(b, n)``, ``(b, 1)`` each, interpolated linearly between neighbours."""
    last = values.shape[1] - 1
    places = [share * last for share in shares]
    ranks = sorted({rank for place in places for rank in (int(place), min(int(place) + 1, last))})
    ordered = dict(zip(ranks, torch.split(_of_rank(values, ranks), 1, dim=1), strict=True))
    return [torch.lerp(ordered[int(at)], ordered[min(int(at) + 1, last)], at - int(at)) for at in places]


def _of_rank(values: Tensor, ranks: list[int]) -> Tensor:
    """Return the values of some ranks in each row, ``(b, ranks)``."""
    if values.device.type == "cpu" and not values.requires_grad:
        # A third of the time of sorting; torch.quantile sorts as well, and refuses tiles of many values.
        return torch.from_numpy(np.partition(values.numpy(), ranks, axis=1)[:, ranks])
    return values.sort(dim=1).values[:, ranks]
