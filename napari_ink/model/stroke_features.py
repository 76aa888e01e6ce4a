"""Features for learning from a few strokes: what a network sees, and the power of textures at several depths.

The network has learned what ink can look like in its training data; the texture bands cover ink that it has never seen,
such as ink that is darker than papyrus or only rougher. Both are averaged over several widths, since a stroke is much
wider than its texture. docs/decisions/0033-teaching.md compares them with the features that ilastik uses.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_ink.model.network import InkEdgeNetwork

STEP_PX = 4
"""Pixels of the stack, along each side, to one cell of the features."""
HALO_PX = 64
"""Pixels around a part of the stack that its features depend on, but for the last traces of the network's context."""
_DEPTH_GROUPS = 8
# In pixels: the roughness of ink is much finer than the width of a stroke.
_BAND_SIGMAS = (0.7, 1.5, 3.0)
# In cells, as those of textures; a network's own features already cover some surroundings.
_NETWORK_WIDTHS = (3, 9)
_TEXTURE_WIDTHS = (3, 7, 13)
_LARGEST_LOGIT = 15.0  # certain already; a larger one would dominate the mean of its cell
_LARGEST = torch.finfo(torch.float16).max


def feature_count(network: InkEdgeNetwork) -> int:
    """Return the number of features of a network."""
    seen = ink_logit_feature(network) + 2  # the logits of ink and edges come last
    return seen * len(_NETWORK_WIDTHS) + _DEPTH_GROUPS * (len(_BAND_SIGMAS) + 1) * len(_TEXTURE_WIDTHS)


def ink_logit_feature(network: InkEdgeNetwork) -> int:
    """Return the number of the feature that is the network's own logit of ink."""
    return 2 * network.stem.half_channels + network.stem.quarter_channels


@torch.inference_mode()
def stroke_features(network: InkEdgeNetwork, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features of prepared grey values.

    Parameters
    ----------
    network
        A trained network in evaluation mode.
    values
        Prepared grey values ``(z, y, x)``; height and width are multiples of the network's `size_divisor`.

    Returns
    -------
    tuple of Tensor
        Features ``(c, y/4, x/4)``, float16, and the network's logits ``(2, y, x)``.
    """
    half, quarter = network.stem(values[None])
    logits = network.after_stem(half, quarter)
    half = half.contiguous()
    coarse = F.avg_pool2d(logits.clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT), STEP_PX)
    # The mean square tells a rough texture from a smooth one of the same mean.
    seen = torch.cat([F.avg_pool2d(half, 2), F.avg_pool2d(half * half, 2), quarter, coarse], dim=1)
    texture = torch.stack([plane for group in values.tensor_split(_DEPTH_GROUPS) for plane in _bands(group)])
    averaged = [*_averaged(seen, _NETWORK_WIDTHS), *_averaged(texture[None], _TEXTURE_WIDTHS)]
    # Squares of extreme values do not fit in 16 bits, and a forest refuses infinity.
    return torch.cat(averaged, dim=1)[0].clamp(-_LARGEST, _LARGEST).half(), logits[0]


def _bands(group: Tensor) -> Iterator[Tensor]:
    """Yield the power of three bands of frequencies of the mean of some layers, and the smoothed mean."""
    # A stack of fewer layers than groups leaves some of them empty.
    plane = group.mean(dim=0) if len(group) else torch.zeros(group.shape[1:], device=group.device)
    before = 0.0
    for sigma in _BAND_SIGMAS:
        # The plane is smoothed by `before` already, and squares of sigmas add up.
        smooth = smoothed(plane, (sigma**2 - before**2) ** 0.5)
        yield F.avg_pool2d(((plane - smooth) ** 2)[None], STEP_PX)[0]
        plane, before = smooth, sigma
    yield F.avg_pool2d(plane[None], STEP_PX)[0]


def smoothed(plane: Tensor, sigma: float) -> Tensor:
    """Return a plane smoothed by a Gaussian that is cut off at three sigmas, as scipy's with ``truncate=3``.

    Parameters
    ----------
    plane
        Values ``(y, x)``; beyond the border the outermost ones repeat.
    sigma
        Sigma of the Gaussian, in cells of the plane.
    """
    reach = max(1, round(3 * sigma))
    along = torch.arange(-reach, reach + 1, dtype=plane.dtype, device=plane.device)
    kernel = torch.exp(-0.5 * (along / sigma) ** 2)
    kernel = kernel / kernel.sum()
    smooth = F.pad(plane[None, None], (reach,) * 4, mode="replicate")
    smooth = F.conv2d(F.conv2d(smooth, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return smooth[0, 0]


def _averaged(planes: Tensor, widths: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield the means of planes ``(1, c, y, x)`` over squares of each width; beyond the border nothing counts."""
    for width in widths:
        rows = F.avg_pool2d(planes, (width, 1), 1, (width // 2, 0), count_include_pad=False)
        yield F.avg_pool2d(rows, (1, width), 1, (0, width // 2), count_include_pad=False)
