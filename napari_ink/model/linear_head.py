"""A linear model on the features of a network, as tensors, so that a checkpoint can hold one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_DEVIATIONS = 5.0
"""Features further from their mean than this many standard deviations count as this far, so that none decides alone."""
_BY_FEATURE = ("mean", "scale", "weight")
LINEAR_HEAD_TENSORS = (*_BY_FEATURE, "bias", "smoothing")
LARGEST_SMOOTHING = 8.0


class LinearHead(nn.Module):
    """Logit of ink that is linear in standardised features.

    Parameters
    ----------
    mean, scale
        Mean and standard deviation of each feature, float32 ``(c,)``.
    weight, bias
        Weight of each standardised feature, float32 ``(c,)``, and what is added to their sum, float32.
    smoothing
        Sigma of the Gaussian that smooths the logits of forest and linear head over cells, float32.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    smoothing: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        for name in LINEAR_HEAD_TENSORS:
            self.register_buffer(name, tensors[name])

    def check(self, features: int) -> None:
        """Refuse tensors that do not fit this number of features.

        Raises
        ------
        ValueError
            If a dtype or a size is wrong, or a number is not finite.
        """
        for name in LINEAR_HEAD_TENSORS:
            tensor, shape = getattr(self, name), (features,) if name in _BY_FEATURE else ()
            if tensor.dtype != torch.float32 or tuple(tensor.shape) != shape:
                raise ValueError(f"the linear head's {name} is {tensor.dtype} of {tuple(tensor.shape)}")
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"the linear head's {name} holds a number that is not finite")
        if bool((self.scale <= 0).any()):
            raise ValueError("the linear head's scale holds a number that is not above 0")
        if not 0 < float(self.smoothing) <= LARGEST_SMOOTHING:
            raise ValueError(f"the linear head's smoothing is {float(self.smoothing)}")

    def forward(self, rows: Tensor) -> Tensor:
        """Return the logits ``(n,)`` for features ``(n, c)``."""
        standardised = ((rows - self.mean) / self.scale).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        logits: Tensor = standardised @ self.weight + self.bias
        return logits
