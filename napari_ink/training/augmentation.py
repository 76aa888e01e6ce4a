"""Augmentation of crops on the training device, with PyTorch.

Labels follow every transformation by nearest neighbour. Pixels from outside of a crop become 0, unreviewed; so do
those of a cut-out, where ink cannot be seen.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_ink.model import InputContract
from napari_ink.model.gaussian_mean import gaussian_mean
from napari_ink.training.painted_ink import can_be_painted, paint_ink
from napari_ink.training.settings import AugmentationSettings

_DROPPED_SHARE = 0.1  # of the depth layers
_CUT_OUT_AREA = (0.02, 0.12)  # as shares of the crop's
_CUT_OUT_RATIO = 3.3  # largest ratio of its sides
_SHEAR_DEGREES = 5.0
_AIR_AND_PAPYRUS = (14 / 255, 157 / 255)  # greys of usual scans, see `InputContract`
_MOST_BLUR_PX, _BLUR_REACH_PX = 1.5, 3
_COARSE_STEPS = (1.5 / 255, 5 / 255)  # greys of 8 bits at two thirds to a fifth of the usual contrast
_SHIFT = 0.05  # largest shift, as a share of the crop's side


class Augmenter:
    """Augments prepared crops and their labels.

    Parameters
    ----------
    settings
        Augmentations and their probabilities.
    contract
        Input contract that the crops were prepared with; augmentations apply to unscaled greys, where 0 is black.
    """

    def __init__(self, settings: AugmentationSettings, contract: InputContract) -> None:
        self._settings, self._mean, self._std = settings, contract.mean, contract.std
        self._black = -contract.mean / contract.std

    def __call__(self, values: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return an augmented crop; the tensors that are given may be returned, but are not changed.

        Parameters
        ----------
        values
            Prepared grey values ``(z, y, x)``.
        labels
            uint8 ``(y, x)``.
        seed
            Seed of all random choices.

        Returns
        -------
        tuple of Tensor
            Augmented values and labels, of the same shapes and dtypes.
        """
        rng, settings = np.random.default_rng(seed), self._settings
        if settings.painted_ink and can_be_painted(labels) and rng.random() < settings.painted_ink:
            values, labels = paint_ink(values, labels, rng)
        if settings.flips:
            values, labels = _oriented(values, labels, int(rng.integers(8)))
        if rng.random() < settings.affine:
            values, labels = self._warped(values, labels, rng)
        values = self._regreyed(values, rng, seed)
        if rng.random() < settings.layer_dropout and len(values) > 1:
            values = values.clone()
            count = max(1, round(_DROPPED_SHARE * len(values)))
            values[torch.from_numpy(rng.choice(len(values), count, replace=False))] = self._black
        if rng.random() < settings.cut_out:
            values, labels = values.clone(), labels.clone()
            rows, columns = _rectangle(rng, *labels.shape)
            values[:, rows, columns], labels[rows, columns] = self._black, 0
        return values, labels

    def _warped(self, values: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Rotate, shift, scale and shear by a little; black and unreviewed pixels come in from outside."""
        settings = self._settings
        turn = math.radians(rng.uniform(-settings.degrees, settings.degrees))
        shear = math.tan(math.radians(rng.uniform(-_SHEAR_DEGREES, _SHEAR_DEGREES)))
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        linear = rotation @ np.array([[1, shear], [0, 1]]) / rng.uniform(1 - settings.scale, 1 + settings.scale)
        shift = rng.uniform(-2 * _SHIFT, 2 * _SHIFT, (2, 1))  # in halves of a side
        theta = torch.from_numpy(np.hstack([linear, shift])).float()[None].to(values.device)
        grid = F.affine_grid(theta, [1, 1, *labels.shape], align_corners=False)
        # Padding puts in zeros, so black is moved to 0 and back.
        greys = F.grid_sample((values - self._black)[None], grid, "bilinear", "zeros", align_corners=False)
        planes = F.grid_sample(labels[None, None].float(), grid, "nearest", "zeros", align_corners=False)
        return greys[0].add_(self._black), planes[0, 0].to(labels.dtype)

    def _regreyed(self, values: Tensor, rng: np.random.Generator, seed: int) -> Tensor:
        """Change contrast and brightness, and add noise to every second crop."""
        settings = self._settings
        scale = rng.uniform(1 - settings.contrast, 1 + settings.contrast)
        offset = rng.uniform(-settings.brightness, settings.brightness)
        if settings.contrast or settings.brightness:
            # The change is one of greys, and values are greys less their mean, divided by their deviation.
            values = (values * scale).add_(((scale - 1) * self._mean + offset) / self._std)
        # Drawn only if asked for, so that runs without them draw what they drew before.
        if settings.gamma:
            values = self._bent(values, math.exp(rng.uniform(-settings.gamma, settings.gamma)))
        if settings.blur and rng.random() < settings.blur:
            values = gaussian_mean(values[:, None], rng.uniform(0.3, _MOST_BLUR_PX), _BLUR_REACH_PX)[:, 0]
        if settings.noise and rng.random() < 0.5:
            drawing = torch.Generator(values.device).manual_seed(seed)
            noise = torch.randn(values.shape, generator=drawing, device=values.device)
            values = noise.mul_(settings.noise / self._std).add_(values)
        if settings.coarse_greys and rng.random() < settings.coarse_greys:
            # A scanner rounds what it saw, its noise too, so this comes last.
            step = rng.uniform(*_COARSE_STEPS) / self._std
            start = rng.uniform(0, step)
            values = (values - start).div_(step).round_().mul_(step).add_(start)
        return values

    def _bent(self, values: Tensor, exponent: float) -> Tensor:
        """Raise greys to a power, and bring those of air and bright papyrus back, as scaling by quantiles would."""
        low, high = (grey**exponent for grey in _AIR_AND_PAPYRUS)
        slope = (_AIR_AND_PAPYRUS[1] - _AIR_AND_PAPYRUS[0]) / (high - low)
        greys = (values * self._std).add_(self._mean).clamp_(min=0.0).pow_(exponent)
        return greys.sub_(low).mul_(slope).add_(_AIR_AND_PAPYRUS[0] - self._mean).div_(self._std)


def _oriented(values: Tensor, labels: Tensor, orientation: int) -> tuple[Tensor, Tensor]:
    """Return one of the eight orientations of a crop."""
    planes = values, labels
    if orientation >= 4:
        planes = values.flip(-1), labels.flip(-1)
    turned = [plane.rot90(orientation % 4, (-2, -1)) for plane in planes]
    return turned[0].contiguous(), turned[1].contiguous()


def _rectangle(rng: np.random.Generator, height: int, width: int) -> tuple[slice, slice]:
    area = rng.uniform(*_CUT_OUT_AREA) * height * width
    ratio = math.exp(rng.uniform(-1, 1) * math.log(_CUT_OUT_RATIO))
    rows, columns = min(height, round(math.sqrt(area * ratio))), min(width, round(math.sqrt(area / ratio)))
    y, x = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return slice(y, y + rows), slice(x, x + columns)
