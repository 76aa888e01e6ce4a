"""The sample segment for napari's File › Open Sample."""

from __future__ import annotations

from pathlib import Path

from napari_ink.gui.layers.stack_layer import LayerData, stack_layer_data


def sample_folder() -> Path:
    """Return where the shipped sample lies."""
    from napari_ink.phantom import sample_path

    return sample_path()


def open_sample() -> list[LayerData]:
    """Return the sample as layer data: a simulated segment of 65 depth layers whose ink is known."""
    from napari_ink.stack import open_stack

    stack = open_stack(sample_folder())
    return [stack_layer_data(stack, stack.contrast_limits())]
