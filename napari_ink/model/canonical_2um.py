"""The `ink_canonical_2um` family among published networks: Hecate's network without a slope along the depth.

Its files state neither layers nor scaling, and public descriptions of the scaling disagree: training scripts clip grey
values at 200 and divide by 255, the authors' tool clips at 200 and divides by 200. The tool decides here, since the
authors' published maps are reproduced by it (a correlation of .9999997 with the middle 62 of 109 layers, tiles of 256
pixels that overlap by half). A contract file beside the model may state another scaling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from napari_ink.model.contract import LARGEST_TILE
from napari_ink.model.families import SMALLEST_TILE, ConfigPart, Family, Shapes

if TYPE_CHECKING:
    from napari_ink.model.resnet3d import HecateNetwork

_LAYERS, _XY_STRIDE, _VOXEL_UM, _OVERLAP = 62, 4, 2.4, 0.5
_WHITEST, _WHITE = 200.0, 255.0


class CanonicalConfig(ConfigPart):
    """The settings that Lightning stored with the weights, as far as they are read."""

    model_type: Literal["ink_canonical_2um"]
    size: int = Field(256, ge=SMALLEST_TILE, le=LARGEST_TILE, multiple_of=_XY_STRIDE)


def _contract(config: CanonicalConfig) -> dict[str, Any]:
    return {
        "depth_layers": _LAYERS,
        "min_depth_layers": _LAYERS,
        "clip": (0.0, _WHITEST / _WHITE),
        "std": _WHITEST / _WHITE,
        "voxel_size_um": _VOXEL_UM,
        "tile_size": config.size,
        "overlap": _OVERLAP,
    }


def _network(config: CanonicalConfig, shapes: Shapes) -> HecateNetwork:
    from napari_ink.model.resnet3d import HecateNetwork, sizes_of

    return HecateNetwork(sizes_of(shapes), config.size, margin=0, xy_stride=_XY_STRIDE, has_slope=False)


FAMILY = Family(
    "ink_canonical_2um",
    CanonicalConfig,
    _contract,
    _network,
    provenance=lambda _: {"scaling": "grey values clipped at 200 and divided by 200, as in the authors' tool"},
    # What classified films when the ResNet was pre-trained, and heads that only training used.
    unused=("canonical.backbone.fc.", "canonical.decoder.aux_head_"),
    prefix="canonical.",
)
