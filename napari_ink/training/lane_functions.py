"""Batch norm with ReLU, and depth pooling, forward and backward, for channels last on a CPU.

All work crop by crop, so that what one pass over memory leaves in the cache serves the next one, and sums of a crop do
not depend on which crops a lane holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

Gather = Callable[[Tensor], Tensor]
"""Return the tensors ``(b, ...)`` of all lanes, in the order of the lanes, as one of ``(all b, ...)``."""

# Kernels for few channels work on as few numbers at once, so that several pixels are taken for one with more channels.
_WIDTH = 64
_aten = torch.ops.aten


class NormReLU(Function):
    """Batch norm over the crops of all lanes, then ReLU, of values ``(b, pixels, c)``."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, weight: Tensor, bias: Tensor, eps: float, gather: Gather) -> Any:
        """Return the values, and the mean and the unbiased variance over all lanes ``(c,)``."""
        repeat = _repeat(values)
        rows = values.view(len(values), -1, repeat * values.shape[-1])
        moments = gather(torch.stack([_crop_moments(crop, repeat) for crop in rows]))
        mean, variance = _moments(moments)
        count = len(moments) * values.shape[1]
        out = torch.empty_like(rows)
        scale = weight * torch.rsqrt(variance + eps)
        for crop, target in zip(rows, out, strict=True):
            _scaled(crop, scale, bias - mean * scale, repeat, target)
            target.clamp_min_(0)
        ctx.save_for_backward(rows, out, weight, mean, torch.rsqrt(variance + eps))
        ctx.gather, ctx.repeat = gather, repeat  # type: ignore[attr-defined]
        unbiased = variance * (count / max(1, count - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return out.view_as(values), mean, unbiased

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *unused: Tensor) -> Any:
        """Return the gradients of the values, and of weight and bias as far as this lane's crops contribute."""
        rows, out, weight, mean, deviation = ctx.saved_tensors
        repeat, result = ctx.repeat, torch.empty_like(rows)
        sums = []
        gradients = gradient.contiguous().view_as(rows)
        for crop_gradient, crop, output, target in zip(gradients, rows, out, result, strict=True):
            _aten.threshold_backward.grad_input(crop_gradient, output, 0, grad_input=target)
            sums.append(_crop_sums(target, crop, mean, deviation, repeat))
        own = torch.stack(sums)  # (b, 2, c)
        every = ctx.gather(own)
        mean_of_gradient, mean_along = every.sum(0) / (len(every) * rows[0].numel() / len(mean))
        scale = weight * deviation
        slope = -scale * deviation * mean_along
        offset = -scale * mean_of_gradient - slope * mean
        along = torch.empty_like(rows[0])
        for crop, target in zip(rows, result, strict=True):
            _scaled(crop, slope, offset, repeat, along)
            _scaled(target, scale, torch.zeros_like(scale), repeat, target)
            target.add_(along)
        of_bias, of_weight = own.sum(0)
        return result.view_as(gradient), of_weight, of_bias, None, None


def _repeat(values: Tensor) -> int:
    """Return how many neighbouring pixels of ``(b, pixels, c)`` are taken for one, a power of two."""
    repeat = 1
    while values.shape[1] % (2 * repeat) == 0 and 2 * repeat * values.shape[2] <= _WIDTH:
        repeat *= 2
    return repeat


def _crop_moments(crop: Tensor, repeat: int) -> Tensor:
    """Return means and variances of a crop ``(rows, repeat · c)``: ``(2, repeat, c)`` in float32."""
    # With buffers in float32 the moments are, too.
    buffers = crop.new_zeros(2, crop.shape[1], dtype=torch.float32)
    return torch.stack(_aten.batch_norm_update_stats(crop, *buffers, 0.0)).view(2, repeat, -1)


def _moments(parts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance of parts of equal size, whose moments are ``(parts, 2, repeat, c)``."""
    means, variances = parts.double().transpose(0, 1).flatten(1, 2)
    mean = means.mean(0)
    return mean.float(), (variances + (means - mean) ** 2).mean(0).float()


def _scaled(crop: Tensor, scale: Tensor, offset: Tensor, repeat: int, out: Tensor) -> None:
    """Write ``crop · scale + offset`` of rows ``(rows, repeat · c)``, computed in float32."""
    wide = scale.repeat(repeat), offset.repeat(repeat)
    none, one = torch.zeros_like(wide[0]), torch.ones_like(wide[0])
    # The one kernel that mixes float32 coefficients with values of lower precision in a single pass.
    moments = scale.new_empty(0), scale.new_empty(0)
    _aten.native_batch_norm.out(
        crop, *wide, none, one, False, 0.0, 0.0, out=out, save_mean=moments[0], save_invstd=moments[1]
    )


def _crop_sums(gradient: Tensor, crop: Tensor, mean: Tensor, deviation: Tensor, repeat: int) -> Tensor:
    """Return the sums ``(2, c)`` of a crop's gradient, and of it times the normalised values."""
    wide = mean.repeat(repeat), deviation.repeat(repeat)
    _, along, total = _aten.native_batch_norm_backward(
        gradient, crop, torch.ones_like(wide[0]), None, None, *wide, True, 0.0, [False, True, True]
    )
    sums: Tensor = torch.stack([total, along]).view(2, repeat, -1).sum(1)
    return sums


class PoolDepth(Function):
    """`DepthPool` of values ``(b, z, pixels, c)`` to ``(b, pixels, 2c)``: their maximum, and their weighted mean."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, weight: Tensor) -> Tensor:
        """Return the maximum and the mean, weighted by a softmax over the scores ``values · weight``."""
        b, z, pixels, c = values.shape
        weight = weight.to(values.dtype)
        shares = values.new_empty(b, z, pixels)
        out = values.new_empty(b, pixels, 2, c)
        wide = torch.empty_like(values[0])
        for crop, share, pooled in zip(values, shares, out, strict=True):
            score = torch.mv(crop.view(-1, c), weight).view(z, pixels)
            share.copy_(torch.softmax(score.float(), 0))
            torch.mul(crop, _widened(share, wide), out=wide)
            pooled[:, 0], pooled[:, 1] = crop.amax(0), wide.sum(0)
        ctx.save_for_backward(values, weight, shares, out)
        return out.view(b, pixels, 2 * c)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of values and weight; equal largest values share the gradient of the maximum."""
        values, weight, shares, out = ctx.saved_tensors
        b, z, pixels, c = values.shape
        result, of_score = torch.empty_like(values), torch.empty_like(shares)
        wide, one = torch.empty_like(values[0]), values.new_ones(c)
        for i, crop_gradient in enumerate(gradient.reshape(b, pixels, 2, c)):
            crop, share, target = values[i], shares[i], result[i]
            of_largest, of_mean = crop_gradient.unbind(1)
            of_largest, of_mean, largest = of_largest.contiguous(), of_mean.contiguous(), out[i, :, 0].contiguous()
            of_share = torch.mv(torch.mul(crop, of_mean, out=wide).view(-1, c), one).view(z, pixels).float()
            weights = share.float()
            of_score[i] = weights * (of_share - (of_share * weights).sum(0))
            torch.mm(of_score[i].view(-1, 1), weight[None], out=target.view(-1, c))
            target.addcmul_(_widened(share, wide), of_mean)
            torch.eq(crop, largest, out=wide)
            target.addcmul_(wide, of_largest / wide.sum(0))
        of_weight = torch.mm(of_score.view(1, -1), values.view(-1, c))[0].float()
        return result, of_weight


def _widened(share: Tensor, out: Tensor) -> Tensor:
    """Repeat shares ``(z, pixels)`` for each channel of ``(z, pixels, c)``."""
    # As a product of matrices, which is several times as fast as copying.
    torch.mm(share.view(-1, 1), out.new_ones(1, out.shape[-1]), out=out.view(-1, out.shape[-1]))
    return out
