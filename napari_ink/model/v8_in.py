"""The `v8-in` family among published networks: a 3-D ResNet-50 whose features' maxima along the depth are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from napari_ink.model.contract import LARGEST_TILE
from napari_ink.model.families import SMALLEST_TILE, ConfigPart, Family, Shapes, Side

if TYPE_CHECKING:
    from napari_ink.model.resnet3d_planes import PlaneNetwork

_VOXEL_UM = 8.0  # the models are published as of 8 µm
_STEP = 4  # pixels of the enlarged tile to one of the finest features
_COARSEST = 8 * _STEP
_WHITE = 255.0
_MOST_OVERLAP = 0.75

Tile = Annotated[int, Field(ge=SMALLEST_TILE, le=LARGEST_TILE)]


class PlaneConfig(ConfigPart):
    """The entries of ``config.json`` beside the weights; published files have the values that are defaults here."""

    model_type: Literal["v8-in"]
    in_depth: Side = 24
    tile_size: Tile = 64
    input_upsample_hw: Side = 256
    input_upsample_depth: Side = 96
    stride: Side = 21
    clip_max: float = Field(200, ge=1, le=_WHITE)
    reverse_layers: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        # The network has no step back to the tile's own pixels but this one.
        if self.input_upsample_hw != _STEP * self.tile_size or self.input_upsample_hw % _COARSEST:
            raise ValueError(
                f"tiles of {self.tile_size} pixels are enlarged to {self.input_upsample_hw}, and only four times a "
                f"multiple of {_COARSEST // _STEP} is known here"
            )
        if self.stride > self.tile_size:
            raise ValueError(f"a stride of {self.stride} leaves gaps between tiles of {self.tile_size}")
        return self


def _contract(config: PlaneConfig) -> dict[str, Any]:
    return {
        "depth_layers": config.in_depth,
        "min_depth_layers": config.in_depth,
        "direction": "reversed" if config.reverse_layers else "as stored",
        "clip": (0.0, config.clip_max / _WHITE),
        "voxel_size_um": _VOXEL_UM,
        "tile_size": config.tile_size,
        "overlap": min((config.tile_size - config.stride) / config.tile_size, _MOST_OVERLAP),
    }


def _network(config: PlaneConfig, shapes: Shapes) -> PlaneNetwork:
    from napari_ink.model.resnet3d_planes import PlaneNetwork, sizes_of

    enlarged = (config.input_upsample_depth, config.input_upsample_hw, config.input_upsample_hw)
    return PlaneNetwork(sizes_of(shapes), config.tile_size, enlarged)


FAMILY = Family("v8-in", PlaneConfig, _contract, _network)
