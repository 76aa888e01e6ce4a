"""The layer of where not to trust lies exactly over its squares."""

import numpy as np

from napari_ink.gui.layers.unfamiliar_layer import unfamiliar_layer
from napari_ink.predict import UnfamiliarMap


def test_squares_are_shown_over_their_pixels_and_unmeasured_ones_not_at_all() -> None:
    levels = np.array([[0, 1], [254, 255]], np.uint8)
    layer = unfamiliar_layer(UnfamiliarMap(levels, 128, (256, 0)))
    assert not layer.visible
    assert layer.data.tolist() == [[0, 1], [254, 0]]
    # The first square covers rows 256 to 383 and columns 0 to 127, so its middle is between two pixels.
    assert layer.data_to_world((0, 0)) == (319.5, 63.5) and layer.data_to_world((1, 1)) == (447.5, 191.5)
    inside, barely, far = layer.colormap.map(np.array([0, 1, 254]) / 254)[:, 3]
    assert inside == 0 and 0.3 < barely < far < 1
