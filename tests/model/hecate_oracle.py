"""The network of the Hecate family, as plain functions of its published weights, from its description alone."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Weights = Mapping[str, Tensor]
CHANNELS = (1, -1, 1, 1, 1)


def batch_normed(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, var, scale, shift = (
        weights[f"{name}.{part}"].reshape(CHANNELS) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def group_normed(weights: Weights, name: str, x: Tensor) -> Tensor:
    groups = x.reshape(len(x), min(32, x.shape[1]), -1)
    mean, var = groups.mean(-1, keepdim=True), groups.var(-1, correction=0, keepdim=True)
    x = ((groups - mean) / (var + 1e-5).sqrt()).reshape(x.shape)
    return x * weights[f"{name}.weight"].reshape(CHANNELS) + weights[f"{name}.bias"].reshape(CHANNELS)


def convolved(weights: Weights, name: str, x: Tensor, stride: int | tuple[int, int, int] = 1) -> Tensor:
    kernel = weights[f"{name}.weight"]
    return F.conv3d(x, kernel, weights.get(f"{name}.bias"), stride, padding=kernel.shape[-1] // 2)


def bottleneck(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    out = x
    for at in (1, 2, 3):
        out = batch_normed(
            weights, f"{name}.bn{at}", convolved(weights, f"{name}.conv{at}", out, stride if at == 2 else 1)
        )
        if at < 3:
            out = out.clamp(min=0)
    if f"{name}.downsample.0.weight" in weights:
        x = batch_normed(weights, f"{name}.downsample.1", convolved(weights, f"{name}.downsample.0", x, stride))
    return (out + x).clamp(min=0)


def encoded(weights: Weights, x: Tensor, blocks: tuple[int, ...], xy_stride: int) -> list[Tensor]:
    name = "canonical.backbone"
    if "canonical.normalization.weight" in weights:
        x = batch_normed(weights, "canonical.normalization", x)
    x = convolved(weights, f"{name}.conv1", x, (1, 2, 2) if xy_stride == 4 else 1)
    x = batch_normed(weights, f"{name}.bn1", x).clamp(min=0)
    if xy_stride == 4:
        x = torch.stack([F.max_pool2d(layer, 3, 2, 1) for layer in x.unbind(2)], 2)
    found = []
    for stage, number in enumerate(blocks):
        for at in range(number):
            x = bottleneck(weights, f"{name}.layer{stage + 1}.{at}", x, 2 if stage and not at else 1)
        found.append(x)
    return found


def decoded(weights: Weights, features: list[Tensor]) -> Tensor:
    name = "canonical.decoder"
    reduced = [
        group_normed(weights, f"{name}.channel_reduce.{at}.1", convolved(weights, f"{name}.channel_reduce.{at}.0", x))
        for at, x in enumerate(features)
    ]
    reduced = [one.clamp(min=0) for one in reduced]
    x = reduced[-1]
    for at, finer in enumerate(reduced[-2::-1]):
        block = f"{name}.decoder_blocks.{at}"
        joined = torch.cat([F.interpolate(x, size=finer.shape[2:], mode="trilinear"), finer], 1)
        out = group_normed(weights, f"{block}.gn1", convolved(weights, f"{block}.conv1", joined)).clamp(min=0)
        out = group_normed(weights, f"{block}.gn2", convolved(weights, f"{block}.conv2", out))
        x = (out + convolved(weights, f"{block}.shortcut", joined)).clamp(min=0)
    return x


def probabilities(weights: Weights, grey: Tensor, blocks: tuple[int, ...], margin: int, xy_stride: int) -> Tensor:
    """Map ``(b, z, y, x)`` to probabilities of ink ``(b, 1, y, x)``."""
    x = decoded(weights, encoded(weights, grey[:, None, margin : grey.shape[1] - margin], blocks, xy_stride))
    name, half = "canonical.decoder", x.shape[2] // 2
    slope = weights["depth_coordinate_scale"] * torch.tensor([(z - half) / half for z in range(x.shape[2])])
    scores = convolved(weights, f"{name}.depth_collapse.attn_conv", x)[:, 0] + slope[:, None, None]
    shares = scores.exp() / scores.exp().sum(1, keepdim=True)
    logits = torch.einsum("bczyx,oc->bozyx", x, weights[f"{name}.logit.weight"].flatten(1))[:, 0]
    ink = ((logits + weights[f"{name}.logit.bias"]) * shares).sum(1, keepdim=True).sigmoid()
    return F.interpolate(ink, size=grey.shape[-2:], mode="bilinear")
