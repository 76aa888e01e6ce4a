"""What the losses ask for: targets for ink and for edges, made from label values."""

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
"""A value that `TrainingPair.labels` may hold beside `LabelValue`'s: the papyrus mask says that nothing is there."""

OUTLINE_REACH_PX = 8


def ink_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 0 papyrus, 1 ink and `IGNORE` for label values of 1, 2 and others ``(..., y, x)``."""
    return _by_torch(ink_targets, labels)


def edge_target(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 1 on ink pixels that touch papyrus, 0 on the rest, and `IGNORE` where the labels do not tell ``(y, x)``.

    The papyrus's own outline is no edge of ink: 0 on papyrus there and up to `OUTLINE_REACH_PX` beyond. Where ink
    touches it, or lies about as near, nothing is asked for.
    """
    return _by_torch(edge_targets, labels)


def ink_targets(labels: Tensor) -> Tensor:
    """Do as `ink_target` does, for a batch ``(b, y, x)`` on any device."""
    lookup = torch.tensor([IGNORE, 0, 1, IGNORE], dtype=torch.uint8, device=labels.device)
    return lookup[labels.long()]


def edge_targets(labels: Tensor) -> Tensor:
    """Do as `edge_target` does, for a batch ``(b, y, x)`` on any device."""
    unreviewed, outside = labels == LabelValue.UNREVIEWED, labels == OUTSIDE
    papyrus, ink = labels == LabelValue.PAPYRUS, labels == LabelValue.INK
    unknown = _touched(unreviewed) | (ink & _touched(outside))
    beside_papyrus = _near(papyrus, OUTLINE_REACH_PX) & ~_near(ink | unreviewed, OUTLINE_REACH_PX)
    edge = (ink & _touched(papyrus)).to(torch.uint8)
    return edge.masked_fill(unknown | (outside & ~beside_papyrus), IGNORE)


def _touched(plane: Tensor) -> Tensor:
    """Return where `plane` is, or one of the four neighbours."""
    values = plane.float().unsqueeze(1)
    upright, level = F.max_pool2d(values, (3, 1), 1, (1, 0)), F.max_pool2d(values, (1, 3), 1, (0, 1))
    return torch.maximum(upright, level).squeeze(1) > 0


def _near(plane: Tensor, reach: int) -> Tensor:
    return F.max_pool2d(plane.float().unsqueeze(1), 2 * reach + 1, 1, reach).squeeze(1) > 0


def _by_torch(targets: Any, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    result: npt.NDArray[np.uint8] = targets(torch.from_numpy(np.ascontiguousarray(labels))[None])[0].numpy()
    return result
