"""Edge losses from the literature, which `edge_losses.py` compares with ours.

All take logits ``(b, y, x)`` and a target ``(b, y, x)`` of 0, 1 and `IGNORE`, count only reviewed pixels, and return a
scalar of about 1, so that one learning rate suits them all (AdamW ignores a constant factor anyway).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import ndimage
from torch import Tensor

from napari_ink.model.losses import IGNORE, edge_loss

EdgeLoss = Callable[[Tensor, Tensor], Tensor]


def planes(target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the edges and the reviewed pixels, as 0 and 1."""
    return (target == 1).float(), (target != IGNORE).float()


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return a weighted mean, or 0 if all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp(min=1)


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with equal weight for every pixel."""
    edge, known = planes(target)
    return mean(F.binary_cross_entropy_with_logits(logits, edge, reduction="none"), known)


def hed(logits: Tensor, target: Tensor) -> Tensor:
    """Balanced cross-entropy: edges weigh as much as all other pixels together (Xie & Tu 2015)."""
    edge, known = planes(target)
    share = mean(edge, known)
    weight = known * torch.where(edge == 1, 1 - share, share)
    return mean(F.binary_cross_entropy_with_logits(logits, edge, reduction="none"), weight)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice with squares in the denominator (Milletari et al. 2016, Deng et al. 2018), image by image."""
    edge, known = planes(target)
    probability = torch.sigmoid(logits) * known
    both = (probability * edge).sum((1, 2))
    return (1 - (2 * both + 1) / ((probability**2).sum((1, 2)) + edge.sum((1, 2)) + 1)).mean()


def boundary(logits: Tensor, target: Tensor) -> Tensor:
    """Probability times the signed distance to the labelled line, in tens of pixels (Kervadec et al. 2019)."""
    edge, known = planes(target)
    away = [
        ndimage.distance_transform_edt(line == 0) if line.any() else np.full(line.shape, 10.0)
        for line in (edge.numpy() == 1)
    ]
    distance = torch.from_numpy(np.stack(away)).float().clamp(max=20) - edge
    return mean(torch.sigmoid(logits) * distance / 10, known)


def soft_skeleton(x: Tensor, rounds: int) -> Tensor:
    """Return the part of a map ``(b, 1, y, x)`` that soft openings remove (Shit et al. 2021)."""

    def erode(x: Tensor) -> Tensor:
        return torch.minimum(-F.max_pool2d(-x, (3, 1), 1, (1, 0)), -F.max_pool2d(-x, (1, 3), 1, (0, 1)))

    def opened(x: Tensor) -> Tensor:
        return F.max_pool2d(erode(x), 3, 1, 1)

    skeleton = F.relu(x - opened(x))
    for _ in range(rounds):
        x = erode(x)
        more = F.relu(x - opened(x))
        skeleton = skeleton + F.relu(more - skeleton * more)
    return skeleton


def cldice(logits: Tensor, target: Tensor) -> Tensor:
    """Dice between the skeleton of each map and the lines of the other (Shit et al. 2021)."""
    edge, known = (plane.unsqueeze(1) for plane in planes(target))
    probability = torch.sigmoid(logits).unsqueeze(1) * known
    ours, theirs = soft_skeleton(probability, 4), edge
    precision = ((ours * edge).sum((1, 2, 3)) + 1) / (ours.sum((1, 2, 3)) + 1)
    recall = ((theirs * probability).sum((1, 2, 3)) + 1) / (theirs.sum((1, 2, 3)) + 1)
    return (1 - 2 * precision * recall / (precision + recall)).mean()


def pooled(logits: Tensor, target: Tensor, tolerance_px: int = 1) -> Tensor:
    """Balanced cross-entropy that also counts the best prediction near a label, and ignores predictions near labels."""
    x, edge, known = logits[:, None], *(plane[:, None] for plane in planes(target))
    side = 2 * tolerance_px + 1
    found = F.max_pool2d(x.masked_fill(known == 0, -1e4), side, 1, tolerance_px)
    near = F.max_pool2d(edge, side, 1, tolerance_px)
    missed = mean(0.5 * (F.softplus(-found) + F.softplus(-x)), edge)
    return missed + mean(F.softplus(x), known * (1 - near))


def total(*parts: tuple[float, EdgeLoss]) -> EdgeLoss:
    """Return a weighted sum of losses."""
    return lambda logits, target: sum((weight * loss(logits, target) for weight, loss in parts), torch.zeros(()))


RIVALS: dict[str, EdgeLoss] = {
    "hed": hed,
    "bce": bce,
    "dice": dice,
    "bce+dice": total((1, bce), (1, dice)),
    "hed+dice": total((1, hed), (1, dice)),
    "boundary+dice": total((1, boundary), (1, dice)),
    "boundary+hed": total((0.5, boundary), (1, hed)),
    "cldice+dice": total((0.5, cldice), (0.5, dice)),
    "cldice+hed": total((0.5, cldice), (1, hed)),
    "pooled": pooled,
}


def named(name: str) -> EdgeLoss:
    """Return a loss of the literature by its name, or ours with settings: ``ours:tolerance_px=3,dice_share=0``."""
    first, _, settings = name.partition(":")
    if first != "ours":
        return RIVALS[first]
    pairs = (pair.split("=") for pair in settings.split(",") if pair)
    chosen = {key: int(value) if key.endswith("_px") else float(value) for key, value in pairs}
    return functools.partial(edge_loss, **chosen)  # type: ignore[arg-type]
