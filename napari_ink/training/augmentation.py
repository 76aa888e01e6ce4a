"""Augmentation of batches of crops on the training device, by kornia with depth layers as channels.

Labels follow every transformation by nearest neighbour. Pixels from outside of a crop become 0, unreviewed; so do
those of a cut-out, where ink cannot be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from napari_ink.model import InputContract
from napari_ink.training.settings import AugmentationSettings

_DROPPED_SHARE = 0.1  # of the depth layers
_CUT_OUT_AREA = (0.02, 0.12)  # as shares of the crop's
_SHEAR_DEGREES = 5.0


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

    def __call__(self, values: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return an augmented batch.

        Parameters
        ----------
        values
            Prepared grey values ``(b, z, y, x)``.
        labels
            uint8 ``(b, y, x)``.
        seed
            Seed of all random choices.

        Returns
        -------
        tuple of Tensor
            Augmented values and labels, of the same shapes and dtypes.
        """
        from kornia import augmentation as kornia
        from kornia.constants import DataKey, Resample

        steps = list(_steps(self._settings, values.shape[1]))
        if not steps:
            return values, labels
        chain = kornia.AugmentationSequential(
            *steps,
            data_keys=["input", "mask"],
            extra_args={DataKey.MASK: {"resample": Resample.NEAREST, "align_corners": True}},
        )
        greys = values * self._std + self._mean
        # kornia draws from torch's global generator: fork it, so that the seed of this batch decides alone.
        with torch.random.fork_rng(_cuda_indices(values.device)):
            torch.manual_seed(seed)
            greys, planes = chain(greys, labels.unsqueeze(1).to(greys.dtype))
        return (greys - self._mean) / self._std, planes.squeeze(1).round().to(torch.uint8)


def _steps(settings: AugmentationSettings, layers: int) -> Iterator[Any]:
    from kornia import augmentation as kornia

    if settings.flips:
        yield kornia.RandomHorizontalFlip(p=0.5)
        yield kornia.RandomVerticalFlip(p=0.5)
        # With the flips, all eight orientations are equally likely.
        yield kornia.RandomRotation90((0, 3), p=1.0)
    if settings.affine:
        scale = (1 - settings.scale, 1 + settings.scale)
        shear = (-_SHEAR_DEGREES, _SHEAR_DEGREES)
        yield kornia.RandomAffine(settings.degrees, (0.05, 0.05), scale, shear, p=settings.affine)
    if settings.contrast:
        yield kornia.RandomContrast((1 - settings.contrast, 1 + settings.contrast), clip_output=False)
    if settings.brightness:
        yield kornia.RandomBrightness((1 - settings.brightness, 1 + settings.brightness), clip_output=False)
    if settings.noise:
        yield kornia.RandomGaussianNoise(0.0, settings.noise, p=0.5)
    if settings.layer_dropout and layers > 1:
        yield kornia.RandomChannelDropout(max(1, round(_DROPPED_SHARE * layers)), p=settings.layer_dropout)
    if settings.cut_out:
        yield kornia.RandomErasing(_CUT_OUT_AREA, (0.3, 3.3), p=settings.cut_out)


def _cuda_indices(device: torch.device) -> list[int]:
    """Return the GPUs whose random state must be forked in addition to the CPU's."""
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]
