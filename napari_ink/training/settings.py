"""Settings of a training run, which are stored in its folder and its checkpoints."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_ink.model import InputContract

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DepthVariation(_Frozen):
    """Random variation of the depth layers of crops."""

    shift: int = Field(3, ge=0, description="largest shift of a window, in layers")
    stretch: float = Field(0.1, ge=0, lt=1, description="largest relative change of the spacing of layers")
    reversed_share: float = Field(0.0, ge=0, le=1, description="share of crops whose layers are read in reverse")

    def layers(self, rng: np.random.Generator, contract: InputContract, depth: int, count: int) -> npt.NDArray[np.intp]:
        """Return `count` random depth layers of a stack of `depth` layers; beyond its ends the last is repeated."""
        if contract.direction == "reversed":
            # Draw as for the same stack with layers numbered in reverse; `prepare` then reverses them.
            return depth - 1 - self.layers(rng, contract.changed(direction="as stored"), depth, count)[::-1]
        window = contract.z_window(depth)
        first = window.start + (window.stop - window.start - count + 1) // 2  # keeps the middle layer in the middle
        middle = first + (count - 1) / 2 + float(rng.integers(-self.shift, self.shift + 1))
        spacing = 1 + float(rng.uniform(-self.stretch, self.stretch))
        turn = -1 if rng.random() < self.reversed_share else 1
        places = middle + turn * spacing * (np.arange(count) - (count - 1) / 2)
        layers: npt.NDArray[np.intp] = np.clip(np.rint(places), 0, depth - 1).astype(np.intp)
        return layers


class AugmentationSettings(_Frozen):
    """Augmentation of crops; greys are fractions of the dtype's range, chances are per crop."""

    flips: bool = Field(True, description="mirror and rotate by multiples of 90°, all with the same chance")
    affine: float = Field(0.3, ge=0, le=1, description="chance of a small rotation, shift, scaling and shear")
    degrees: float = Field(15.0, ge=0, le=180, description="largest rotation, in degrees")
    scale: float = Field(0.1, ge=0, lt=1, description="largest relative change of scale")
    brightness: float = Field(0.08, ge=0, lt=1, description="largest shift of all grey values")
    contrast: float = Field(0.2, ge=0, lt=1, description="largest relative change of the range of grey values")
    gamma: float = Field(
        0.0, ge=0, le=1, description="largest logarithm of an exponent of all grey values; dark and bright papyrus stay"
    )
    blur: float = Field(0.0, ge=0, le=1, description="chance that layers are blurred by up to one and a half pixels")
    noise: float = Field(0.01, ge=0, description="standard deviation of the noise that is added to half of the crops")
    coarse_greys: float = Field(
        0.0, ge=0, le=1, description="chance that greys are rounded, as a scan of low contrast and 8 bits has them"
    )
    layer_dropout: float = Field(0.2, ge=0, le=1, description="chance that a few depth layers are blanked")
    painted_ink: float = Field(
        0.0, ge=0, le=1, description="chance that ink of a random kind is painted on a crop of papyrus without any"
    )
    cut_out: float = Field(0.2, ge=0, le=1, description="chance that a rectangle is blanked, together with its labels")

    @classmethod
    def none(cls) -> AugmentationSettings:
        """Return settings without any augmentation."""
        off = {
            "affine": 0,
            "gamma": 0,
            "blur": 0,
            "coarse_greys": 0,
            "brightness": 0,
            "contrast": 0,
            "noise": 0,
            "layer_dropout": 0,
            "cut_out": 0,
            "painted_ink": 0,
        }
        return cls.model_validate({"flips": False, **off})


class TrainSettings(_Frozen):
    """Training settings; the same settings and pairs give the same weights on the same machine."""

    steps: int = Field(2000, ge=1, description="optimiser steps")
    batch_size: int = Field(8, ge=1, description="crops per step, on each device")
    crop_size: int = Field(160, ge=32, description="height and width of a crop, in pixels")
    learning_rate: float = Field(1.5e-3, gt=0, description="peak learning rate, reached after the warm-up")
    warm_up: float = Field(
        0.04, ge=0, lt=1, description="share of the steps during which the learning rate rises to its peak"
    )
    weight_decay: float = Field(0.02, ge=0, description="weight decay of AdamW")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient; larger ones are scaled down")
    average_decay: float = Field(0.995, ge=0, lt=1, description="decay of the moving average of the weights, per step")
    edge_weight: float = Field(0.5, ge=0, description="weight of the edge loss relative to the ink loss")
    freeze_norms: bool = Field(
        False, description="keep the statistics of batch norms, so that batches of different papyri share them"
    )
    hint_weight: float = Field(2.0, ge=0, description="weight of hints relative to the ink loss")
    edge_tolerance_px: int = Field(3, ge=0, description="expected error of drawn edges, in pixels")
    precision: Precision = Field("auto", description="number format of the network's computation; weights stay float32")
    seed: int = Field(0, ge=0, description="seed of all random choices")
    validate_every: int = Field(100, ge=1, description="steps between two validations on the held-out part")
    patience: int = Field(
        10, ge=0, description="stop after this number of validations without a better score; 0 never stops"
    )
    validation_crops: int = Field(
        24, ge=1, description="largest number of crops in a validation, spread evenly over the held-out part"
    )
    workers: int = Field(
        0, ge=0, description="processes that read crops in advance; with 0, they are read between steps"
    )
    lanes: int | None = Field(
        None,
        ge=1,
        description="parts of a batch that a CPU computes side by side, which changes the last digits of the weights; "
        "by default one for each of torch's threads, at most four",
    )
    depth: DepthVariation = DepthVariation()
    augmentation: AugmentationSettings = AugmentationSettings()
