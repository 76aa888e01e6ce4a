"""The average of a logit of ink with those around it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_REACH = 2.5  # of the bell, in standard deviations


class InkAverage(nn.Module):
    """Mixes logits of ink with their weighted mean around each pixel, in prediction alone.

    Strokes are some 30 pixels wide and most false ink is narrower, so that what a place says gains from what its
    surroundings say, most on papyrus of an unknown kind (docs/decisions/0047-average-of-surroundings.md). A network
    that is trained through the mean may sharpen its logits and undo it, so in training nothing is changed.

    Parameters
    ----------
    spread_px
        Standard deviation of the Gaussian weights, in pixels.
    share
        Share of the mean in a logit, 0 to 1.

    Attributes
    ----------
    reach_px : int
        How far from a pixel others have a weight.
    """

    def __init__(self, spread_px: float, share: float) -> None:
        super().__init__()
        self.spread_px, self.share = spread_px, share
        self.reach_px = math.floor(_REACH * spread_px) if share else 0

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits ``(b, channels, y, x)``, the first of which is ink, averaged; borders are repeated outwards."""
        if self.training or not self.reach_px:
            return logits
        ink = logits[:, :1].float()
        places = torch.arange(-self.reach_px, self.reach_px + 1, device=ink.device, dtype=torch.float32)
        bell = torch.exp(-0.5 * (places / self.spread_px) ** 2)
        bell = bell / bell.sum()
        padded = F.pad(ink, (self.reach_px,) * 4, mode="replicate")
        with torch.autocast(ink.device.type, enabled=False):  # else in bfloat16, with weights that do not add up to 1
            mean = F.conv2d(F.conv2d(padded, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))
        return torch.cat([torch.lerp(ink, mean, self.share).to(logits.dtype), logits[:, 1:]], dim=1)
