"""The memory of contrast without a window: each stack has its own, and invalid Preferences are left unchanged."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
from napari.layers import Image
from napari.settings import get_plugin_settings

from napari_ink.gui.controllers.contrast import ContrastMemory
from tests.gui.windowless import take_turns


@pytest.fixture
def memory(viewer_model):
    made = ContrastMemory(layers := Mock())

    def begin(layer, name):
        layers.stack_layer = layer
        made.begin(Mock(fingerprint=lambda: name))

    made.look_after = begin
    return made


def _layer():
    return Image(np.zeros((4, 4), np.uint16), contrast_limits=(0, 100))


def _remembered():
    return json.loads(get_plugin_settings("napari-ink").contrast.remembered)


def test_each_stack_gets_its_own_contrast_back_and_can_be_reset(memory):
    first, second = _layer(), _layer()
    memory.look_after(first, "a")
    first.contrast_limits = (10, 50)
    memory.look_after(second, "b")  # before the delay is over, so the contrast is stored now
    assert _remembered() == {"a": [10, 50]}
    assert list(second.contrast_limits) == [0, 100]
    again = _layer()
    memory.look_after(again, "a")
    assert list(again.contrast_limits) == [10, 50]
    memory.reset()
    take_turns()
    assert list(again.contrast_limits) == [0, 100] and _remembered() == {}


def test_after_release_nothing_is_remembered(memory):
    layer = _layer()
    memory.look_after(layer, "a")
    memory.release()
    layer.contrast_limits = (10, 50)
    take_turns()
    memory.reset()
    assert _remembered() == {} and list(layer.contrast_limits) == [10, 50]


@pytest.mark.parametrize("text", ["no json", "[1, 2]", '{"a": [50, 10]}', '{"a": ["x", 3]}', '{"a": 5}', '{"a": [1]}'])
def test_invalid_preferences_are_left_unchanged(memory, text):
    get_plugin_settings("napari-ink").contrast.remembered = text
    layer = _layer()
    memory.look_after(layer, "a")
    assert list(layer.contrast_limits) == [0, 100]


def test_without_a_layer_nothing_is_remembered(memory):
    memory.look_after(None, "a")
    memory.reset()
    memory.release()
    assert _remembered() == {}
