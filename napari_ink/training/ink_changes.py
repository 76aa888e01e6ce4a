"""What painted ink does to papyrus: changes of tone, grain and texture, each drawn anew."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import ndimage
from torch import Tensor

_MOST_REACH_PX = 2  # of a random filter


def toned(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Make brighter or darker."""
    return values + float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.9))


def grained(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Add grain of any size."""
    grain = noise(rng, tuple(values.shape), math.exp(rng.uniform(math.log(0.4), math.log(4)))).to(values.device)
    return values + rng.uniform(0.2, 0.9) * grain


def smoothed(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Blur within layers."""
    return torch.lerp(values, blurred(values, rng.uniform(1, 4)), rng.uniform(0.4, 1))


def contrasted(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Strengthen or weaken what differs from its surroundings."""
    around = blurred(values, rng.uniform(3, 7))
    return around + math.exp(rng.uniform(-1, 0.8)) * (values - around)


def lifted(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Move up or down by a layer or two."""
    return values.roll(int(rng.choice([-2, -1, 1, 2])), 0)


def filled(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Fill what is dark up to a grey, as ink does in hollow fibres, or dull what is bright."""
    sign = 1 if rng.random() < 0.5 else -1
    turned = sign * values
    level = turned.flatten()[::17].quantile(rng.uniform(0.4, 0.9))
    return sign * torch.lerp(turned, turned.clamp(min=level), rng.uniform(0.4, 1))


def swollen(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Thicken what is bright or what is dark, at any mean grey."""
    sign = 1 if rng.random() < 0.5 else -1
    side = int(rng.choice([3, 3, 5]))
    thick = sign * F.max_pool2d(sign * values[:, None], side, 1, side // 2)[:, 0]
    return torch.lerp(values, thick - rng.uniform(0, 1) * (thick - values).mean(), rng.uniform(0.4, 1))


def filtered(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Replace fine texture by what a random filter makes of it (random convolutions, Xu et al. 2021)."""
    around = blurred(values, rng.uniform(3, 7))
    reach = rng.integers(0, _MOST_REACH_PX + 1, 3)
    kernel = torch.from_numpy(rng.standard_normal(2 * reach + 1)).to(values)
    detail = values - around
    found = F.conv3d(detail[None, None], kernel[None, None], padding=tuple(int(n) for n in reach))[0, 0]
    gain = math.exp(rng.uniform(-0.7, 0.5)) * detail.std() / (found.std() + 1e-6)
    return around + gain * found


def replaced(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Put in papyrus from elsewhere in the crop, its fibres turned or not (CutPaste, Li et al. 2021)."""
    height, width = values.shape[1:]
    shift = (int(rng.integers(height // 4, height)), int(rng.integers(width // 4, width)))
    moved = values.roll(shift, (1, 2))
    return moved.transpose(1, 2) if height == width and rng.random() < 0.5 else moved


def strewn(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Strew bright or dark grains."""
    grain = noise(rng, tuple(values.shape), math.exp(rng.uniform(math.log(0.4), math.log(3))))
    dense = (grain > grain.flatten()[::17].quantile(1 - math.exp(rng.uniform(-5, -2)))).to(values)
    return values + float(rng.choice([-1, 1]) * rng.uniform(0.5, 2.5)) * blurred(dense, 0.5)


CHANGES: tuple[Callable[[np.random.Generator, Tensor], Tensor], ...] = (
    toned,
    grained,
    smoothed,
    contrasted,
    lifted,
    filled,
    swollen,
    filtered,
    replaced,
    strewn,
)


def noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Tensor:
    """Return noise ``(z, y, x)`` of mean 0 and deviation 1 that changes over `scale` pixels."""
    drawing = torch.Generator().manual_seed(int(rng.integers(2**62)))
    coarse = max(1.0, scale / 2)
    small = [math.ceil(n / coarse) + 2 for n in shape[1:]]
    found = torch.randn((shape[0], *small), generator=drawing)
    found = blurred(found, min(scale, 2.0))
    if coarse > 1:
        found = F.interpolate(found[None], scale_factor=coarse, mode="bilinear", align_corners=False)[0]
    found = found[:, : shape[1], : shape[2]]
    return (found - found.mean()) / (found.std() + 1e-6)


def blurred(values: Tensor, sigma: float) -> Tensor:
    """Return planes ``(z, y, x)`` blurred by about `sigma` pixels: two boxes, one after the other."""
    # SciPy's running sums take a tenth of the time of PyTorch's pooling.
    out, side = values.cpu().numpy(), 2 * max(1, round(sigma * 1.2)) + 1
    for _ in range(2):
        out = ndimage.uniform_filter(out, (1, side, side), mode="nearest")
    return torch.from_numpy(out).to(values.device)
