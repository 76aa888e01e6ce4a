"""Conversion of other networks' outputs to logits of ink and edges, in that order."""

from __future__ import annotations

import torch
from torch import Tensor

NOWHERE_LOGIT = -100.0
"""Logit of a probability of 0, a number even in half precision."""

_PROBABILITY_FLOOR = 1e-6  # far below what a prediction store resolves; keeps the logits of 0 and 1 finite


def logits_of(probabilities: Tensor) -> Tensor:
    """Return logits whose sigmoid is `probabilities`, clipped to 1e-6 … 1 - 1e-6."""
    return torch.logit(probabilities, eps=_PROBABILITY_FLOOR)


def ink_and_edge(ink: Tensor, edge: Tensor | None = None) -> Tensor:
    """Concatenate logits of ink and edges ``(b, 1, y, x)`` to ``(b, 2, y, x)``; None means no edges anywhere."""
    return torch.cat([ink, torch.full_like(ink, NOWHERE_LOGIT) if edge is None else edge], dim=1)
