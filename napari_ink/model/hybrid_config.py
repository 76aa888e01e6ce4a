"""Training configurations of the `ink_9um` family, as far as they say what a network reads and computes.

Settings that change what is computed, and leave no trace in the shapes of weights, must have the only values known
here. All others are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from napari_ink.model.contract import Normalisation
from napari_ink.model.families import SMALLEST_TILE, ConfigPart, Crop, Side

# Names of scrolls come from a file, and every prediction's record repeats them.
_MOST_SCROLLS, _LONGEST_NAME = 20, 40


def _with_mode(value: object) -> object:
    """Return settings for the mode alone that a configuration may state instead."""
    return {"mode": value} if isinstance(value, str) else {} if value is None else value


# Ranges of a single value, since `Literal` accepts no floats.
class _NormSettings(ConfigPart):
    eps: float = Field(1e-5, ge=1e-5, le=1e-5)


class _SlopeSettings(ConfigPart):
    negative_slope: float = Field(0.01, ge=0.01, le=0.01)


class _Network(ConfigPart):
    nonlin: Literal["nn.LeakyReLU", "LeakyReLU"] = "nn.LeakyReLU"
    nonlin_kwargs: _SlopeSettings = _SlopeSettings()
    norm_op: Literal["nn.InstanceNorm2d", "nn.InstanceNorm3d", "InstanceNorm2d", "InstanceNorm3d"] = "nn.InstanceNorm3d"
    norm_op_kwargs: _NormSettings = _NormSettings()
    pool_type: Literal["conv"] = "conv"
    architecture_type: Literal["unet"] = "unet"
    upsample_mode: Literal["transpconv"] = "transpconv"
    input_pad_depth_to: None = None


class _Target(ConfigPart):
    activation: Literal["none"] = "none"
    out_channels: Literal[1] = 1


class _Targets(ConfigPart):
    ink: _Target = _Target()


class _Greys(ConfigPart):
    mode: Literal["robust_mad", "robust", "mad", "divide", "divide_255"] = "robust_mad"
    percentile_lower: float = Field(1.0, ge=1, le=1)
    percentile_upper: float = Field(99.0, ge=99, le=99)
    divisor: float = Field(255.0, ge=255, le=255)


class _Jitter(ConfigPart):
    window_depth: Side | None = None


class HybridConfig(ConfigPart):
    """The entries of a training configuration that are read."""

    model_type: Literal["vesuvius_unet_3d_stem_2d", "unet_3d_stem_2d"]
    mode: Literal["flat"] = "flat"
    network: _Network = Field(default=_Network(), alias="model_config")
    targets: _Targets = _Targets()
    crop_size: Crop | None = None
    patch_size: Crop
    flat_z_window_jitter: _Jitter | None = None
    image_normalization: Annotated[_Greys, BeforeValidator(_with_mode)] = _Greys()
    datasets: Any = None

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        _, height, width = self.crop
        if height != width or height < SMALLEST_TILE:
            raise ValueError(
                f"crops are {height} × {width} pixels, and only squares of at least {SMALLEST_TILE} are read here"
            )
        return self

    @property
    def crop(self) -> Crop:
        """Layers, height and width of the crops that the network was trained on."""
        if self.crop_size is not None:
            return self.crop_size
        # With jitter, the network sees a window that is drawn from the layers of a patch.
        window = self.flat_z_window_jitter.window_depth if self.flat_z_window_jitter else None
        depth, height, width = self.patch_size
        return window or depth, height, width

    @property
    def normalisation(self) -> Normalisation:
        """How grey values are scaled: for each crop, or all alike, to 0…1."""
        return "fixed" if self.image_normalization.mode.startswith("divide") else "crop robust"

    @property
    def scrolls(self) -> list[str]:
        """Names of the scrolls that the network was trained on, as far as they are stated."""
        listed = self.datasets if isinstance(self.datasets, list | tuple) else []
        stated = [one.get("sampling_scroll") for one in listed if isinstance(one, Mapping)]
        names = {name for name in stated if isinstance(name, str) and name.isprintable()}
        return sorted(name for name in names if 0 < len(name) <= _LONGEST_NAME)[:_MOST_SCROLLS]
