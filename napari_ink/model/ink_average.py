"""The average of a logit of ink with those around it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_ink.model.gaussian_mean import gaussian_mean

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
        with torch.autocast(ink.device.type, enabled=False):  # else in bfloat16, with weights that do not add up to 1
            mean = gaussian_mean(ink, self.spread_px, self.reach_px)
        return torch.cat([torch.lerp(ink, mean, self.share).to(logits.dtype), logits[:, 1:]], dim=1)
