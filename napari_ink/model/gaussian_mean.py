"""The mean of what lies around each pixel, with Gaussian weights, in PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def gaussian_mean(planes: Tensor, spread_px: float, reach_px: int) -> Tensor:
    """Return the weighted mean around each pixel, as `scipy.ndimage.gaussian_filter` does with mode ``nearest``.

    Parameters
    ----------
    planes
        Values ``(b, 1, y, x)``; those at the border are repeated outwards.
    spread_px
        Standard deviation of the weights, in pixels.
    reach_px
        How far from a pixel others have a weight, in pixels.

    Returns
    -------
    Tensor
        The means, of the same shape and dtype.
    """
    places = torch.arange(-reach_px, reach_px + 1, device=planes.device)
    weights = torch.exp(-0.5 * (places / spread_px) ** 2)
    weights /= weights.sum()
    padded = F.pad(planes, (reach_px,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
