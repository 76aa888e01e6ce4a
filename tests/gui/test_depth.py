"""Depth in a real window: jumps, flips, projections, the profile under the mouse, contrast, conversion."""

import numpy as np
import pytest
from napari.settings import get_plugin_settings
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_ink.gui.models.state import Step
from napari_ink.gui.preferences import key_of
from napari_ink.stack import open_stack, project_layers


@pytest.fixture
def depths(open_dock):
    """The depth section, expanded."""
    open_dock.stack.depths.expand()
    return open_dock.stack.depths


def test_keys_and_buttons_jump_and_flip(open_dock, depths, viewer, press, click, qtbot):
    def depth():
        return viewer.dims.current_step[0]

    assert depth() == 6
    assert depths.where.text() == "Layer 6 of 0–11: the surface."
    press(key_of("deeper"))
    assert depth() == 11
    assert "+5 from the surface" in depths.where.text()
    qtbot.wait(600)  # viewed for a while
    press(key_of("surface"))
    assert depth() == 6
    press(key_of("flip"))
    assert depth() == 11
    press(key_of("flip"))
    assert depth() == 6
    click(depths.buttons["shallower"])
    assert depth() == 1
    press(key_of("shallower"))
    assert depth() == 0
    press(key_of("shallower"))
    assert depth() == 0


def test_a_projection_follows_its_controls(open_dock, depths, viewer, press, click, qtbot):
    stack = open_dock.session.state.stack
    volume = np.asarray(stack)

    def shown():
        return np.asarray(viewer.layers["Projection"].data[0])

    press(key_of("projection")[-1], shift=True)
    qtbot.waitUntil(lambda: "Projection" in viewer.layers)
    assert np.array_equal(shown(), volume[2:11].max(axis=0))  # four layers on either side of the surface
    assert depths.buttons["projection"].isChecked()
    depths.how.setCurrentIndex(depths.how.findData("mean"))
    depths.layers.setValue((0, 3))
    truth = np.rint(volume[:4].mean(axis=0, dtype=np.float32)).astype(np.uint16)
    qtbot.waitUntil(lambda: np.array_equal(shown(), truth))
    limits = tuple(viewer.layers["seg-1"].contrast_limits)
    depths.how.setCurrentIndex(depths.how.findData("alpha"))
    truth = np.rint(project_layers(iter(volume[:4]), "alpha", limits)).astype(np.uint16)
    qtbot.waitUntil(lambda: np.array_equal(shown(), truth))
    value = viewer.layers["Projection"].get_value((40, 50), world=False)
    assert (value[1] if isinstance(value, tuple) else value) == truth[40, 50]
    click(depths.buttons["projection"])
    assert "Projection" not in viewer.layers
    click(depths.buttons["projection"])
    qtbot.waitUntil(lambda: "Projection" in viewer.layers)
    viewer.layers.remove("Projection")  # as a user can
    qtbot.waitUntil(lambda: not depths.buttons["projection"].isChecked())


def test_the_profile_follows_the_mouse(predicted_dock, viewer, press, errors, qtbot):
    depths = predicted_dock.stack.depths
    volume = np.asarray(predicted_dock.session.state.stack)
    viewer.cursor.position = (6, 40, 50)
    qtbot.wait(250)
    assert depths.plot.profile is None  # it is not visible
    predicted_dock.open_step(Step.STACK)
    depths.expand()
    viewer.cursor.position = (6, 40, 51)
    qtbot.waitUntil(lambda: depths.plot.profile is not None)
    np.testing.assert_allclose(depths.plot.profile.grey, volume[:, 38:43, 49:54].mean(axis=(1, 2)), rtol=1e-5)
    press(key_of("explain")[-1], shift=True)
    qtbot.waitUntil(lambda: depths.plot.profile.contribution is not None, timeout=20000)
    added = depths.plot.profile.contribution
    assert added.shape == (12,) and added[2:10].any() and not added[:2].any()
    assert not errors
    picture = depths.plot.grab().toImage()
    assert len({picture.pixel(x, y) for x in range(0, picture.width(), 3) for y in range(0, picture.height(), 3)}) > 3


def test_contrast_is_remembered_for_each_stack_and_can_be_reset(
    open_dock, depths, viewer, click, segment, tmp_path, qtbot
):
    first = tuple(viewer.layers["seg-1"].contrast_limits)
    viewer.layers["seg-1"].contrast_limits = (2000, 30000)
    qtbot.waitUntil(lambda: "2000" in get_plugin_settings("napari-ink").contrast.remembered)
    np.save(tmp_path / "other.npy", np.full((3, 40, 40), 70, np.uint8))

    def open_(source):
        before = open_dock.session.state.stack
        open_dock.open_stack(source)
        qtbot.waitUntil(lambda: open_dock.session.state.stack is not before and not open_dock.session.state.busy)

    open_(tmp_path / "other.npy")
    assert tuple(viewer.layers["other"].contrast_limits) != (2000, 30000)
    open_(segment)
    assert tuple(viewer.layers["seg-1"].contrast_limits) == (2000, 30000)
    click(depths.contrast_button)
    assert tuple(viewer.layers["seg-1"].contrast_limits) == first
    qtbot.waitUntil(lambda: "2000" not in get_plugin_settings("napari-ink").contrast.remembered)


def test_a_stack_is_converted_and_opened(open_dock, viewer, click, tmp_path, monkeypatch, qtbot):
    panel, out = open_dock.stack.convert, tmp_path / "seg-1.zarr"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    before = np.asarray(open_dock.session.state.stack)
    click(panel.button)
    qtbot.waitUntil(lambda: open_dock.session.state.conversion.out == out, timeout=20000)
    assert "Converted" in panel.hint.text()
    np.testing.assert_array_equal(np.asarray(open_stack(out)), before)
    click(panel.open_button)
    qtbot.waitUntil(
        lambda: open_dock.session.state.stack.source == out and not open_dock.session.state.busy, timeout=20000
    )
    assert "ome-zarr" in open_dock.stack.summary.text()
    assert not panel.open_button.isVisible()


def test_a_slow_stack_offers_its_conversion(dock, tmp_path, qtbot):
    from PIL import Image

    (tmp_path / "seg").mkdir()
    for z in range(3):
        Image.fromarray(np.full((40, 1100), 40 * z, np.uint8)).save(tmp_path / "seg" / f"{z}.png")
    dock.open_stack(tmp_path / "seg")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    assert "Convert it to OME-Zarr" in dock.stack.convert.hint.text()


def test_an_address_is_opened_or_its_error_reported(dock, click, errors, monkeypatch, qtbot):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("gopher://127.0.0.1/x", True))
    click(dock.stack.address_button)
    qtbot.waitUntil(lambda: bool(errors), timeout=20000)
    assert "gopher" in errors[0]
