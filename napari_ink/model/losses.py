"""Losses for ink and edges, in which unreviewed pixels never count."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

IGNORE = 255

_CELL_PX = 8
_STRONGEST = 8.0
_CERTAINTY = 4.0  # number of independent pixels that a stretch of line counts for
_LITTLE = 1e-6
_EDGE_SHARE = 0.3  # weight of edge pixels against the rest; in HED (Xie & Tu 2015) both weigh the same


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
        A scalar; 0 if no pixel is reviewed.
    """
    return ink_loss_of(ink_sums(logits, target))


def ink_sums(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sums over pixels that `ink_loss` is computed from; sums of parts of a batch may be added."""
    logits = logits.float()
    known = (target != IGNORE).float()
    truth = (target == 1).float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    probability = torch.sigmoid(logits) * known
    sums = (entropy * known, known, probability * truth, probability, truth * known)
    return torch.stack([one.sum() for one in sums])


def ink_loss_of(sums: Tensor) -> Tensor:
    """Return `ink_loss` of a batch with these `ink_sums`."""
    entropy, known, overlap, predicted, truth = sums
    dice = 1 - (2 * overlap + 1) / (predicted + truth + 1)
    loss: Tensor = entropy / known.clamp(min=1) + dice
    return loss


def hint_loss(logits: Tensor, hinted: Tensor) -> Tensor:
    """Return the cross-entropy with hinted probabilities (distillation, Hinton et al. 2015).

    Parameters
    ----------
    logits
        ``(b, y, x)``.
    hinted
        Probabilities ``(b, y, x)``; negative where there is no hint.

    Returns
    -------
    Tensor
        A scalar; 0 without hints.
    """
    return hint_loss_of(hint_sums(logits, hinted))


def hint_sums(logits: Tensor, hinted: Tensor) -> Tensor:
    """Return the sums over pixels that `hint_loss` is computed from; sums of parts of a batch may be added."""
    known = (hinted >= 0).float()
    entropy = F.binary_cross_entropy_with_logits(logits.float(), hinted.clamp(min=0), reduction="none")
    return torch.stack([(entropy * known).sum(), known.sum()])


def hint_loss_of(sums: Tensor) -> Tensor:
    """Return `hint_loss` of a batch with these `hint_sums`."""
    entropy, known = sums
    loss: Tensor = entropy / known.clamp(min=1)
    return loss


def edge_loss(logits: Tensor, target: Tensor, tolerance_px: int = 3, dice_weight: float = 1.0) -> Tensor:
    """Return a balanced cross-entropy plus soft Dice against labels hinged to the prediction.

    People draw lines a few pixels beside the edge. So each part of a labelled line may first move, by at most
    `tolerance_px`, to where the prediction is strongest along it (see `hinge`), and only then are the two compared,
    pixel by pixel: a thin line within reach costs next to nothing, but a scatter of dots or a thick band, which a
    tolerance around every single pixel would let pass, does.

    The two classes are averaged separately, so that their weights depend neither on the length of the lines nor on the
    size of the tile; edges get less than half, which they have in HED (Xie & Tu 2015). Dice of squares is added as in
    Deng et al. 2018, who got thinner lines with it. It compares means over the reviewed pixels of a tile.
    `docs/decisions/0006-edge-loss.md` has the measurements.

    All computations are in float32. The gradient treats the moved labels as constants.

    Parameters
    ----------
    logits
        ``(b, y, x)``.
    target
        uint8 ``(b, y, x)``: 0 no edge, 1 edge, `IGNORE` unreviewed.
    tolerance_px
        How far off a line may be drawn, in pixels; 0 compares with the labels as they are.
    dice_weight
        Weight of Dice against the cross-entropy.

    Returns
    -------
    Tensor
        A scalar; 0 where nothing has been reviewed.
    """
    return edge_loss_of(edge_sums(logits, target, tolerance_px), dice_weight)


def edge_sums(logits: Tensor, target: Tensor, tolerance_px: int = 3) -> Tensor:
    """Return the sums over pixels and crops that `edge_loss` is computed from; sums of parts of a batch may be added.

    Parameters
    ----------
    logits, target, tolerance_px
        As for `edge_loss`.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float()
        known = (target != IGNORE).float()
        edge = hinge(logits, target, tolerance_px) * known
        sums = (F.softplus(-logits) * edge, edge, F.softplus(logits) * (known - edge), known - edge)
        dice = _dice(torch.sigmoid(logits), edge, known)  # (b,)
        return torch.stack([one.sum() for one in (*sums, dice, torch.ones_like(dice))])


def edge_loss_of(sums: Tensor, dice_weight: float = 1.0) -> Tensor:
    """Return `edge_loss` of a batch with these `edge_sums`."""
    missed, edge, false, other, dice, crops = sums
    entropy = _EDGE_SHARE * missed / edge.clamp(min=1) + (1 - _EDGE_SHARE) * false / other.clamp(min=1)
    loss: Tensor = 2 * entropy + dice_weight * dice / crops
    return loss


@torch.no_grad()
def hinge(logits: Tensor, target: Tensor, tolerance_px: int) -> Tensor:
    """Return the labelled edges ``(b, y, x)``, moved to where the prediction is strongest.

    Around every cell of `_CELL_PX` pixels each shift of the labels within `tolerance_px` is tried. Its weight is the
    exponential of the mean logit along the shifted line, within two cells around, times a bell over the shift's length:
    so a line moves as a whole, nothing moves without a reason, and early on, when the prediction says nothing yet, the
    labels are blurred. (One step of expectation maximisation with the shift as hidden variable; compare the
    alignment of Yu et al. 2018 and Acuna et al. 2019.)

    Parameters
    ----------
    logits, target, tolerance_px
        As for `edge_loss`.
    """
    edge = (target == 1).float()
    if tolerance_px == 0:
        return edge
    known = (target != IGNORE).float()
    strength = logits.float().clamp(-_STRONGEST, _STRONGEST)  # so that no single pixel decides
    shifts = [
        (dy, dx)
        for dy, dx in product(range(-tolerance_px, tolerance_px + 1), repeat=2)
        if dy * dy + dx * dx <= tolerance_px**2
    ]
    scores = []
    for dy, dx in shifts:
        drawn = _shifted(edge, dy, dx) * known
        there = _around(drawn)
        along = _around(drawn * strength) / there.clamp(min=_LITTLE)
        bell = (dy * dy + dx * dx) / (2 * tolerance_px**2)
        scores.append(torch.where(there > _LITTLE, _CERTAINTY * along, -_CERTAINTY * _STRONGEST) - bell)
    weights = torch.softmax(torch.stack(scores), dim=0)  # (shift, b, cells, cells)
    moved = torch.zeros_like(edge)
    height, width = edge.shape[-2:]
    for weight, (dy, dx) in zip(weights, shifts, strict=True):
        everywhere = weight.repeat_interleave(_CELL_PX, -2).repeat_interleave(_CELL_PX, -1)[..., :height, :width]
        moved += everywhere * _shifted(edge, dy, dx)
    return moved


def _shifted(plane: Tensor, dy: int, dx: int) -> Tensor:
    """Move a plane ``(b, y, x)`` down by `dy` and right by `dx`; zeros come in."""
    height, width = plane.shape[-2:]
    padded = F.pad(plane, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)))
    return padded[..., max(-dy, 0) : max(-dy, 0) + height, max(-dx, 0) : max(-dx, 0) + width]


def _around(plane: Tensor) -> Tensor:
    """Return the mean ``(b, cells, cells)`` over each cell of ``(b, y, x)`` and two more on every side."""
    height, width = plane.shape[-2:]
    cells = F.avg_pool2d(F.pad(plane, (0, -width % _CELL_PX, 0, -height % _CELL_PX)), _CELL_PX)
    return F.avg_pool2d(cells, 5, 1, 2)


def _dice(probability: Tensor, edge: Tensor, known: Tensor) -> Tensor:
    """Return 1 − Dice of each tile, with the tiny term of a pixel in a hundred by hundred."""
    reviewed = known.sum((1, 2)).clamp(min=1)
    both = (probability * edge).sum((1, 2)) / reviewed
    each = ((probability**2 + edge**2) * known).sum((1, 2)) / reviewed
    return 1 - (2 * both + 1e-4) / (each + 1e-4)
