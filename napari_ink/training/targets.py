"""Targets of the losses, for ink and edges, from label values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_ink.annotation import LabelValue
from napari_ink.model.losses import IGNORE

OUTSIDE = 3
"""Additional value of `TrainingPair.labels`, besides `LabelValue`'s: pixels outside of the papyrus mask."""

EDGE_UNKNOWN = 3
"""Additional value of `TrainingPair.edges`, besides `EdgeValue`'s: nothing says whether there is an edge, not even the
outlines of `TrainingPair.labels`."""

OUTLINE_REACH_PX = 8


def ink_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 0 for papyrus, 1 for ink and `IGNORE` for all other label values ``(..., y, x)``."""
    return _by_torch(ink_targets, labels)


def edge_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 1 for ink pixels next to papyrus, 0 for others, and `IGNORE` where labels do not decide ``(y, x)``.

    The outline of the papyrus is not an edge of ink: there the target is 0 on papyrus and up to `OUTLINE_REACH_PX`
    outside. If ink touches the outline, or is about as near, the target is `IGNORE`.
    """
    return _by_torch(edge_targets, labels)


def ink_targets(labels: Tensor) -> Tensor:
    """Return `ink_target` of a batch ``(b, y, x)`` on any device."""
    lookup = torch.tensor([IGNORE, 0, 1, IGNORE], dtype=torch.uint8, device=labels.device)
    return lookup[labels.long()]


def edge_targets(labels: Tensor) -> Tensor:
    """Return `edge_target` of a batch ``(b, y, x)`` on any device."""
    unreviewed, outside = labels == LabelValue.UNREVIEWED, labels == OUTSIDE
    papyrus, ink = labels == LabelValue.PAPYRUS, labels == LabelValue.INK
    # A pixel next to an unreviewed one may be an edge or not, depending on the label that it will get.
    unknown = _touched(unreviewed) | (ink & _touched(outside))
    beside_papyrus = _near(papyrus, OUTLINE_REACH_PX) & ~_near(ink | unreviewed, OUTLINE_REACH_PX)
    edge = (ink & _touched(papyrus)).to(torch.uint8)
    return edge.masked_fill(unknown | (outside & ~beside_papyrus), IGNORE)


def _touched(plane: Tensor) -> Tensor:
    """Return where a pixel or one of its four neighbours is true."""
    values = plane.float().unsqueeze(1)
    # Two pools along the axes make a cross; one of 3 × 3 would include diagonal neighbours.
    upright, level = F.max_pool2d(values, (3, 1), 1, (1, 0)), F.max_pool2d(values, (1, 3), 1, (0, 1))
    return torch.maximum(upright, level).squeeze(1) > 0


def _near(plane: Tensor, reach: int) -> Tensor:
    # Along one axis, then along the other: 34 comparisons a pixel instead of 289.
    side, values = 2 * reach + 1, plane.float().unsqueeze(1)
    upright = F.max_pool2d(values, (side, 1), 1, (reach, 0))
    return F.max_pool2d(upright, (1, side), 1, (0, reach)).squeeze(1) > 0


def _by_torch(targets: Any, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    result: npt.NDArray[np.uint8] = targets(torch.from_numpy(np.ascontiguousarray(labels))[None])[0].numpy()
    return result
