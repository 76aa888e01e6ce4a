"""Losses for ink and for edges; pixels that nobody has reviewed never count."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

IGNORE = 255


def ink_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice over the reviewed pixels.

    Parameters
    ----------
    logits
        ``(b, y, x)``.
    target
        uint8 ``(b, y, x)``: 0 papyrus, 1 ink, `IGNORE` unreviewed.

    Returns
    -------
    Tensor
        A scalar; 0 where nothing has been reviewed.
    """
    logits = logits.float()
    known = (target != IGNORE).float()
    truth = (target == 1).float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    probability = torch.sigmoid(logits) * known
    overlap = (probability * truth).sum()
    dice = 1 - (2 * overlap + 1) / (probability.sum() + (truth * known).sum() + 1)
    return _mean(entropy, known) + dice


def edge_loss(logits: Tensor, target: Tensor, tolerance_px: int = 2, positive_share: float = 0.5) -> Tensor:
    """Return a class-balanced cross-entropy that forgives lines drawn a few pixels off.

    A labelled edge pixel asks for two things in equal parts: a prediction of its own, and the best one within
    `tolerance_px` of it. Predictions within that reach of an edge cost nothing; only those farther away count as false.
    With the second part alone a scatter of dots would do; with the first alone a line must be drawn exactly. The two
    classes are averaged apart, so that their weights depend on neither the length of the lines nor the size of the tile
    (class balance after HED, Xie & Tu 2015).

    Parameters
    ----------
    logits
        ``(b, y, x)``.
    target
        uint8 ``(b, y, x)``: 0 no edge, 1 edge, `IGNORE` unreviewed.
    tolerance_px
        How far off a line may be, in pixels; 0 compares pixel by pixel.
    positive_share
        Weight of the edge pixels against the rest, between 0 and 1.

    Returns
    -------
    Tensor
        A scalar; 0 where nothing has been reviewed.
    """
    logits = logits.float().unsqueeze(1)
    edge = (target == 1).float().unsqueeze(1)
    known = (target != IGNORE).float().unsqueeze(1)
    side = 2 * tolerance_px + 1
    reachable = logits.masked_fill(known == 0, -1e4)
    found = F.max_pool2d(reachable, side, 1, tolerance_px)
    near = F.max_pool2d(edge, side, 1, tolerance_px)
    missed = _mean(0.5 * (F.softplus(-found) + F.softplus(-logits)), edge)
    false = _mean(F.softplus(logits), known * (1 - near))
    return 2 * (positive_share * missed + (1 - positive_share) * false)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
