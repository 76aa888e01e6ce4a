"""A depth stack as a napari image layer: shown lazily and at the right contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ink.stack import DepthStack

if TYPE_CHECKING:
    from napari.layers import Layer

_KEY = "napari_ink_stack"
LayerData = tuple[Any, dict[str, Any], str]


def stack_layer_data(stack: DepthStack, contrast_limits: tuple[float, float]) -> LayerData:
    """Return the layer data tuple of a stack.

    The limits are given because napari's own guess reads a few thousand pixels only.
    """
    metadata = {_KEY: stack, "source": str(stack.source), "voxel_size_um": stack.voxel_size_um}
    settings = {
        "name": stack.name,
        "contrast_limits": contrast_limits,
        "colormap": "gray",
        "axis_labels": ("depth", "y", "x"),
        "multiscale": False,
        "rgb": False,
        "metadata": metadata,
    }
    return stack, settings, "image"


def stack_of(layer: Layer) -> DepthStack | None:
    """Return the stack that a layer shows, or None for any other layer."""
    return layer.metadata.get(_KEY)
