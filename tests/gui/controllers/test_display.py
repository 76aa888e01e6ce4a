"""Labels and prediction shown, hidden and faded, without a window."""

from unittest.mock import Mock

import numpy as np
import pytest
from napari.layers import Image

from napari_ink.gui.controllers.display import DisplayController


@pytest.fixture
def layers(qapp):
    made = Mock()
    for group in (made.editable, made.overlay):
        group.layers = {what: Image(np.zeros((4, 4)), opacity=0.7) for what in ("ink", "edge")}
    made.label_layers = lambda: [] if made.editable is None else [*made.editable.layers.values()]
    made.predicted_layers = lambda: [] if made.overlay is None else [*made.overlay.layers.values()]
    return made


@pytest.fixture
def display(layers, viewer_model):
    return DisplayController(viewer_model, layers)


def _visible(layers):
    return [layer.visible for group in (layers.editable, layers.overlay) for layer in group.layers.values()]


def test_labels_and_prediction_blink_and_swap(display, layers):
    display.blink_labels()
    assert _visible(layers) == [False, False, True, True]
    display.blink_prediction()
    display.blink_labels()
    assert _visible(layers) == [True, True, False, False]
    display.swap()
    assert _visible(layers) == [False, False, True, True]
    display.swap()
    assert _visible(layers) == [True, True, False, False]


def test_a_blink_hides_both_if_one_was_hidden(display, layers):
    layers.editable.layers["ink"].visible = False
    display.blink_labels()
    assert _visible(layers)[:2] == [False, False]


def test_opacity_has_limits(display, layers):
    ink = layers.editable.layers["ink"]
    display.fade(False)
    assert ink.opacity == pytest.approx(0.55)
    for stronger, end in ((True, 1.0), (False, 0.1)):
        for _ in range(9):
            display.fade(stronger)
        assert ink.opacity == pytest.approx(end)
        assert layers.overlay.layers["edge"].opacity == pytest.approx(end)


def test_without_labels_and_prediction_nothing_happens(display, layers):
    layers.editable = layers.overlay = None
    display.swap()
    display.blink_labels()
    display.fade(True)
