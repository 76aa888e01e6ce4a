"""Sample segment for napari's File › Open Sample."""

from __future__ import annotations

from napari_ink.gui.layers.stack_layer import LayerData, stack_layer_data


def open_sample() -> list[LayerData]:
    """Return the sample as layer data: a simulated segment of 65 depth layers whose ink is known."""
    from napari_ink.phantom import sample_path
    from napari_ink.stack import open_stack

    stack = open_stack(sample_path())
    return [stack_layer_data(stack, stack.contrast_limits())]
