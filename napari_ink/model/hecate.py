"""The Hecate family among published networks: a ResNet in 3-D whose ink is a weighted sum over the depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from napari_ink.model.families import SMALLEST_TILE, ConfigPart, Crop, Family, Shapes

if TYPE_CHECKING:
    from napari_ink.model.resnet3d import HecateNetwork

_OVERLAP = 0.5
_VOXEL_UM = {4: 2.4, 1: 9.6}
_WHITE = 255.0  # configurations state grey values of 8 bits


class _Projection(ConfigPart):
    kind: Literal["canonical_logits"]


class _Greys(ConfigPart):
    mode: Literal["divide"]
    divisor: float = Field(ge=1, le=_WHITE)


class _Canonical(ConfigPart):
    input_depth: int = Field(64, ge=1)
    depth_margin: int = Field(1, ge=0)
    native_xy_stride: Literal[1, 4] = 4
    native_refinement: Literal[False] = False


class _Settings(ConfigPart):
    canonical: _Canonical


class HecateConfig(ConfigPart):
    """The entries of a training configuration that are read."""

    model_type: Literal["multiteacher_3d_projection"]
    mode: Literal["flat"] = "flat"
    projection: _Projection
    settings: _Settings = Field(alias="model_config")
    patch_size: Crop
    image_normalization: _Greys

    @model_validator(mode="after")
    def _fits(self) -> Self:
        depth, height, width = self.patch_size
        if height != width or height < SMALLEST_TILE or height % self.canonical.native_xy_stride:
            raise ValueError(
                f"crops are {height} × {width} pixels, and only squares of at least {SMALLEST_TILE} are read"
            )
        # Two layers at least, since their places in the depth are counted from the middle one.
        if depth != self.canonical.input_depth or depth < 2 * self.canonical.depth_margin + 2:
            raise ValueError(f"crops of {depth} layers do not fit an input_depth of {self.canonical.input_depth}")
        return self

    @property
    def canonical(self) -> _Canonical:
        """Settings of the network."""
        return self.settings.canonical


def _contract(config: HecateConfig) -> dict[str, Any]:
    depth, tile, _ = config.patch_size
    return {
        "depth_layers": depth,
        "min_depth_layers": depth,
        "std": config.image_normalization.divisor / _WHITE,
        "voxel_size_um": _VOXEL_UM[config.canonical.native_xy_stride],
        "tile_size": tile,
        "overlap": _OVERLAP,
    }


def _network(config: HecateConfig, shapes: Shapes) -> HecateNetwork:
    from napari_ink.model.resnet3d import HecateNetwork, sizes_of

    canonical = config.canonical
    return HecateNetwork(sizes_of(shapes), config.patch_size[1], canonical.depth_margin, canonical.native_xy_stride)


FAMILY = Family(
    "Hecate",
    HecateConfig,
    _contract,
    _network,
    # What classified films when the ResNet was pre-trained, and heads that only training used.
    unused=("canonical.backbone.fc.", "canonical.decoder.aux_head_"),
)
