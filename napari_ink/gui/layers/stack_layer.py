"""Depth stack as a napari image layer: read lazily, with suitable contrast, at the resolution of the screen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ink.gui.layers.lazy_levels import TiledSource
from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.stack import DepthStack, sample_of, viewing_levels

if TYPE_CHECKING:
    from napari.layers import Layer

STACK_KEY, SOURCE_KEY, _ERRORS_KEY = "napari_ink_stack", "napari_ink_browser", "napari_ink_reading_errors"
# Depth layers up to this size are read without a noticeable delay, so they need no tiles.
_SMALL_PX = 1024
LayerData = tuple[Any, dict[str, Any], str]


def stack_layer_data(stack: DepthStack, contrast_limits: tuple[float, float]) -> LayerData:
    """Return the layer data tuple of a stack; call `attach` with the layer once it is in a viewer.

    Contrast limits are passed because napari estimates them from a few thousand pixels only.
    """
    metadata: dict[str, Any] = {STACK_KEY: stack, "source": str(stack.source), "voxel_size_um": stack.voxel_size_um}
    errors = metadata[_ERRORS_KEY] = ReadingErrors()
    is_tiled = max(stack.shape[1:]) > _SMALL_PX or isinstance(stack.source, str)
    data: Any = replace(stack, read_block=errors.black_instead(stack.read_block, stack.dtype))
    if is_tiled:
        source = metadata[SOURCE_KEY] = TiledSource(
            viewing_levels(stack), stack.dtype, errors, stack.by_layer, partial(sample_of, stack)
        )
        data = source.arrays()
    settings = {
        "name": stack.name,
        "contrast_limits": contrast_limits,
        "colormap": "gray",
        "axis_labels": ("depth", "y", "x"),
        "multiscale": is_tiled,
        "rgb": False,
        "metadata": metadata,
    }
    return data, settings, "image"


def stack_of(layer: Layer) -> DepthStack | None:
    """Return the stack that a layer shows, or None for any other layer."""
    return layer.metadata.get(STACK_KEY)


def errors_of(layer: Layer) -> ReadingErrors | None:
    """Return the errors in reading the stack that a layer shows, or None for any other layer."""
    return layer.metadata.get(_ERRORS_KEY)


def source_of(layer: Layer) -> TiledSource | None:
    """Return the source of the tiles of a layer that shows a large stack, or None for any other layer."""
    return layer.metadata.get(SOURCE_KEY)


def attach(layer: Layer) -> None:
    """Redraw a layer whenever tiles of it arrive, and report errors in reading it."""
    if (errors := errors_of(layer)) is not None:
        errors.open()
    if (source := layer.metadata.get(SOURCE_KEY)) is not None:
        source.attach(layer)


def detach(layer: Layer) -> None:
    """Stop reading tiles for a layer that was removed, and report no more errors."""
    if (errors := errors_of(layer)) is not None:
        errors.close()
    if (source := layer.metadata.get(SOURCE_KEY)) is not None:
        source.close()
