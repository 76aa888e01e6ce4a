"""Large stacks in a real window: the right level, the right voxels, and no waiting for slow disks."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_ink.gui.dock import InkDock
from napari_ink.gui.layers.stack_layer import stack_layer_data
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.stack import coarse_sample, open_stack, stack_of_array
from tests.gui.driving import damaged_layers

SHAPE = (9, 2600, 3000)


@pytest.fixture
def large(tmp_path):
    """A stack whose voxels encode their position; large enough for three levels."""
    z, y, x = np.ogrid[:9, :2600, :3000]
    np.save(tmp_path / "large.npy", (z * 7000 + y % 64 * 64 + x % 64).astype(np.uint16))
    return tmp_path / "large.npy"


@pytest.fixture
def large_dock(dock, large, open_in_dock):
    """The dock with the large stack open."""
    open_in_dock(large)
    return dock


def _seen(layer, y, x):
    """Return the drawn grey value at a position."""
    value = layer.get_value((0, y, x), world=False)
    return value[1] if isinstance(value, tuple) else value


def test_a_large_stack_opens_on_its_surface_and_steps_through_its_layers(large_dock, viewer, large, qtbot):
    values = np.load(large, mmap_mode="r")
    layer = viewer.layers["large"]
    assert layer.multiscale and [level.shape for level in layer.data] == [
        (9, 2600, 3000),
        (9, 1300, 1500),
        (9, 650, 750),
    ]
    assert viewer.dims.current_step[0] == 4
    camera = camera_of(viewer)
    for zoom in (0.3, 0.6, 3.0):
        camera.center, camera.zoom = (*camera.center[:-2], 1200, 1600), zoom
        for z in (4, 5, 0, 8):
            viewer.dims.set_point(0, z)
            qtbot.waitUntil(lambda z=z: _seen(layer, 1200, 1600) == values[z, 1200, 1600], timeout=10000)
    qtbot.waitUntil(lambda: layer.data_level == 0)


def test_the_visible_part_is_the_canvas_at_every_level(large_dock, viewer, canvas, qtbot):
    layers, camera = large_dock.session._layers, camera_of(viewer)
    camera.center, camera.zoom = (*camera.center[:-2], 1200, 1600), 0.9
    qtbot.wait(150)
    camera.zoom = 4.0
    qtbot.wait(150)
    part = layers.viewport.visible_region()
    assert abs((part.y0 + part.y1) / 2 - 1200) <= 2 and abs((part.x0 + part.x1) / 2 - 1600) <= 2
    assert abs(part.shape[0] - canvas.height() / 4) <= 4 and abs(part.shape[1] - canvas.width() / 4) <= 4
    camera.center = (*camera.center[:-2], -9000, 0)
    assert layers.viewport.visible_region() is None


def test_the_window_does_not_wait_for_a_slow_disk(large_dock, viewer, monkeypatch, qtbot):
    layer = viewer.layers["large"]
    tiles = layer.metadata["napari_ink_browser"]._tiles
    gate, read = threading.Event(), tiles._read

    def slow(block):
        gate.wait(20)
        read(block)

    qtbot.waitUntil(lambda: not tiles._coming)
    monkeypatch.setattr(tiles, "_read", slow)
    viewer.dims.set_point(0, 0)  # would never return if it waited, since nothing is read before the gate opens
    assert _seen(layer, 1200, 1600) // 7000 == 4  # the layer before stands in
    gate.set()
    qtbot.waitUntil(lambda: _seen(layer, 1200, 1600) == 1200 % 64 * 64, timeout=10000)


def test_arrays_of_a_visible_stack_are_complete_for_other_code(large_dock, viewer, large):
    values, level = np.load(large, mmap_mode="r"), viewer.layers["large"].data[0]
    np.testing.assert_array_equal(np.asarray(level[:, 40:60, 100:140]), values[:, 40:60, 100:140])
    np.testing.assert_array_equal(level[2:4, ::2, 5], values[2:4, ::2, 5])
    got = []
    worker = threading.Thread(target=lambda: got.append(level[3, 700:1900, 20:2700]))
    worker.start()
    worker.join()
    np.testing.assert_array_equal(got[0], values[3, 700:1900, 20:2700])
    with pytest.raises(IndexError, match="not one of"):
        level[9]


def test_arrays_are_complete_before_the_stack_is_shown(large):
    data, settings, _ = stack_layer_data(open_stack(large), (0, 1))
    assert settings["multiscale"]
    np.testing.assert_array_equal(data[0][4], np.load(large, mmap_mode="r")[4])
    settings["metadata"]["napari_ink_browser"].close()


def test_a_damaged_layer_is_reported_once_and_stays_in_the_panel(dock, viewer, tmp_path, large, errors, wait, qtbot):
    dock.open_stack(damaged_layers(tmp_path / "damaged", (1100, 1200), 3))
    wait(lambda: dock.session.state.stack is not None and not dock.session.state.busy)
    assert not errors and not dock.status.message.toPlainText()
    viewer.dims.set_point(0, 3)
    wait(lambda: bool(errors))
    camera_of(viewer).zoom = 4.0
    for z in (8, 3, 2):
        viewer.dims.set_point(0, z)
        qtbot.wait(200)
    assert len(errors) == 1 and "03.tif" in errors[0]
    assert dock.status.message.toPlainText() == errors[0]
    dock.open_stack(large)
    wait(lambda: dock.session.state.stack.name == "large" and not dock.session.state.busy)
    assert not dock.status.message.toPlainText() and len(errors) == 1


def test_a_reopened_panel_still_shows_the_stack(large_dock, viewer, large, qtbot):
    values = np.load(large, mmap_mode="r")
    browser = viewer.layers["large"].metadata["napari_ink_browser"]
    viewer.window.remove_dock_widget(large_dock)
    large_dock.deleteLater()
    qtbot.waitUntil(lambda: browser._tiles is None)
    viewer.dims.set_point(0, 1)  # read immediately, without tiles
    assert _seen(viewer.layers["large"], 1200, 1600) == values[1, 1200, 1600]
    again = InkDock(viewer)
    viewer.window.add_dock_widget(again, name="Ink again", area="right")
    assert again.session.state.stack is not None
    viewer.dims.set_point(0, 7)
    qtbot.waitUntil(lambda: _seen(viewer.layers["large"], 1200, 1600) == values[7, 1200, 1600], timeout=10000)
    assert browser._tiles is not None


def test_a_slow_stack_is_shown_coarsely_from_a_sample_until_it_is_read(dock, wait, monkeypatch):
    monkeypatch.setattr(coarse_sample, "_MOST_CHUNKS", 64)
    monkeypatch.setattr(coarse_sample, "_WORTH_BYTES", 0)
    gate, on_main_thread = threading.Event(), []
    values = np.full((3, 2048, 2048), 900, np.uint16)

    def read_block(z, y, x, step=1):
        if threading.current_thread() is threading.main_thread():
            on_main_thread.append((y, x))
        elif y.stop - y.start > 64:
            gate.wait(20)
        return values[z, y.start : y.stop : step, x.start : x.stop : step]

    stack = replace(stack_of_array(values, "deep"), read_block=read_block, stored_px=(64, 64), layers_together=3)
    layers = dock.session._layers
    dock.session.store.update(stack=stack)
    layers.show_stack(stack, (0, 1000))
    wait(lambda: dock.session.state.is_sampled)
    wait(lambda: "Coarse picture from a sample" in dock.stack.depth_hint.text())
    assert (np.asarray(layers.stack_layer._slice.image.view) == 900).all()
    gate.set()
    wait(lambda: not dock.session.state.is_sampled)
    wait(lambda: "Coarse picture" not in dock.stack.depth_hint.text())
    assert not on_main_thread
