"""The layer of where not to trust lies exactly over its squares."""

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication, QWidget

from napari_ink.gui.layers.manager import LayerManager
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


@pytest.mark.parametrize(("level", "is_there"), [(0, False), (1, True)])
def test_there_is_a_layer_only_if_a_square_lies_outside(
    viewer_model: ViewerModel,
    qapp: QApplication,
    wait: Callable[[Callable[[], bool]], None],
    level: int,
    is_there: bool,
) -> None:
    parent = QWidget()
    manager = LayerManager(viewer_model, parent)  # type: ignore[arg-type]
    manager.begin_overlay((128, 256), {"ink": 0.5, "edge": 0.5})
    wait(lambda: "Edges (predicted)" in viewer_model.layers)
    manager.show_unfamiliar(UnfamiliarMap(np.array([[0, level]], np.uint8), 128, (0, 0)))
    done: list[bool] = []
    manager.when_idle(lambda: done.append(True))
    wait(lambda: bool(done))
    assert ("Unlike training" in viewer_model.layers) == is_there
