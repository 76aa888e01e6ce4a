"""The depth slider without a window: jumps stay inside the stack, and flips switch between two viewed layers."""

from unittest.mock import Mock

import numpy as np
import pytest

from napari_ink.gui.controllers.depth import DepthController
from napari_ink.stack import open_stack


@pytest.fixture
def stack(tmp_path):
    """A stack of 21 layers, whose surface is layer 10."""
    np.save(tmp_path / "seg.npy", np.zeros((21, 8, 8), np.uint16))
    (tmp_path / "meta.json").write_text('{"voxelsize": 7.91}')
    return open_stack(tmp_path / "seg.npy")


@pytest.fixture
def depths(stack, viewer_model):
    viewer_model.add_image(np.zeros(stack.shape))
    layers = Mock()
    layers.viewport.current_z = lambda: int(viewer_model.dims.point[0])
    made = DepthController(viewer_model, layers)
    viewer_model.dims.set_point(0, stack.surface_z)
    made.begin(stack)
    return made


def test_jumps_end_at_the_first_and_the_last_layer(depths, viewer_model):
    seen = []
    for jump in (5, 5, 5, -5, -20):
        depths.jump(jump)
        seen.append(viewer_model.dims.current_step[0])
    assert seen == [15, 20, 20, 15, 0]
    depths.to_surface()
    assert viewer_model.dims.current_step[0] == 10


def test_a_flip_switches_between_the_last_two_layers_viewed_for_a_while(depths, viewer_model, qtbot):
    depths.jump(5)
    qtbot.wait(5)
    depths.flip()
    assert viewer_model.dims.current_step[0] == 10
    depths.flip()
    assert viewer_model.dims.current_step[0] == 15


def test_a_flip_goes_to_the_previously_viewed_layer_and_no_earlier_one(depths, viewer_model, qtbot):
    for _ in range(2):
        depths.jump(5)
        qtbot.wait(5)
    depths.flip()
    assert viewer_model.dims.current_step[0] == 15


def test_a_flip_ignores_layers_that_were_only_passed_through(depths, viewer_model, qtbot):
    for z in (12, 14, 16, 3):
        viewer_model.dims.set_point(0, z)  # within a moment
    qtbot.wait(5)
    depths.flip()
    assert viewer_model.dims.current_step[0] == 10


def test_a_flip_without_a_previously_viewed_layer_does_nothing(depths, viewer_model):
    depths.flip()
    assert viewer_model.dims.current_step[0] == 10


def test_the_distance_is_in_micrometres_where_the_voxel_size_is_known(depths, stack):
    assert depths.where() == "Layer 10 of 0–20: the surface."
    depths.jump(5)
    assert depths.where() == "Layer 15 of 0–20: +5 from the surface, +39.5 µm."  # 39.55, rounded to even
    depths.jump(-15)
    assert depths.where() == "Layer 0 of 0–20: -10 from the surface, -79.1 µm."


def test_without_a_stack_nothing_moves(viewer_model):
    depths = DepthController(viewer_model, Mock())
    depths.to_surface()
    depths.jump(5)
    assert depths.where() == ""
    assert viewer_model.dims.current_step[0] == 0


def test_every_step_is_signalled_until_release(depths, viewer_model):
    listener = Mock()
    depths.changed.connect(listener)
    viewer_model.dims.set_point(0, 3)
    assert listener.call_count == 1
    depths.release()
    viewer_model.dims.set_point(0, 4)
    assert listener.call_count == 1
