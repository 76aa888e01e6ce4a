"""The `ink_9um` family among published networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ink.model.families import Family, LayoutError, Shapes
from napari_ink.model.hybrid_config import HybridConfig

if TYPE_CHECKING:
    from napari_ink.model.hybrid import HybridNetwork

_VOXEL_UM = 9.6
_OVERLAP = 0.5


def _contract(config: HybridConfig) -> dict[str, Any]:
    depth, tile, _ = config.crop
    return {
        "depth_layers": depth,
        "min_depth_layers": depth,
        "normalisation": config.normalisation,
        "voxel_size_um": _VOXEL_UM,
        "tile_size": tile,
        "overlap": _OVERLAP,
    }


def _network(config: HybridConfig, shapes: Shapes) -> HybridNetwork:
    from napari_ink.model.hybrid import HybridNetwork, sizes_of

    sizes, (_, tile, _) = sizes_of(shapes), config.crop
    # A norm has no deviation to divide by where a single pixel is left.
    if any(tile % step or tile < 2 * step for step in sizes.divisor):
        raise LayoutError(f"tiles whose {tile} pixels its coarsest stage can divide by {sizes.divisor}")
    return HybridNetwork(sizes, tile)


def _provenance(config: HybridConfig) -> dict[str, Any]:
    return {"data": f"scrolls {', '.join(config.scrolls)}"} if config.scrolls else {}


FAMILY = Family("ink_9um", HybridConfig, _contract, _network, _provenance)
