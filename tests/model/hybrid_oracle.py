"""The network of the `ink_9um` family, as plain functions of its published weights, from its description alone."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Weights = Mapping[str, Tensor]


def normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Subtract each channel's mean and divide by its deviation; then scale and shift."""
    axes = tuple(range(2, x.ndim))
    x = (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + 1e-5).sqrt()
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return x * weight.reshape(shape) + bias.reshape(shape)


def rectified(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def depth_features(weights: Weights, grey: Tensor) -> Tensor:
    """Map ``(b, z, y, x)`` to ``(b, 2·channels, y, x)``."""
    x = grey[:, None]
    for at in (0, 3):
        x = F.conv3d(x, weights[f"depth_fusion.features.{at}.weight"], padding=1)
        name = f"depth_fusion.features.{at + 1}"
        x = rectified(normed(x, weights[f"{name}.weight"], weights[f"{name}.bias"]))
    scores = torch.einsum("bczyx,oc->bozyx", x, weights["depth_fusion.attention_logits.weight"].flatten(1))
    scores = (scores + weights["depth_fusion.attention_logits.bias"]).exp()
    shares = scores / scores.sum(dim=2, keepdim=True)
    return torch.cat([(shares * x).sum(dim=2), x.max(dim=2).values], dim=1)


def convolved(weights: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.conv.weight"]
    x = F.conv2d(x, kernel, weights.get(f"{name}.conv.bias"), stride, padding=kernel.shape[-1] // 2)
    return normed(x, weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"])


def block(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    """Run a residual block of ResNet-D."""
    out = rectified(convolved(weights, f"{name}.conv1", x, stride))
    out = convolved(weights, f"{name}.conv2", out)
    beside = F.avg_pool2d(x, stride, stride) if stride > 1 else x
    place = f"{name}.skip.{int(stride > 1)}"
    if f"{place}.conv.weight" in weights:
        beside = convolved(weights, place, beside)
    return rectified(out + beside)


def logits(weights: Weights, grey: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """Map scaled grey values ``(b, z, y, x)`` to logits of ink ``(b, 1, y, x)``."""
    encoder, decoder = "network.shared_encoder", "network.shared_decoder"
    x = rectified(convolved(weights, f"{encoder}.stem.convs.0", depth_features(weights, grey)))
    finer = []
    for stage, number in enumerate(blocks):
        for at in range(number):
            x = block(weights, f"{encoder}.stages.{stage}.blocks.{at}", x, 2 if stage and not at else 1)
        finer.append(x)
    for stage, beside in enumerate(finer[-2::-1]):
        name = f"{decoder}.transpconvs.{stage}"
        x = F.conv_transpose2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2)
        x = rectified(convolved(weights, f"{decoder}.stages.{stage}.convs.0", torch.cat([x, beside], 1)))
    return F.conv2d(x, weights["network.task_heads.ink.weight"], weights["network.task_heads.ink.bias"])
