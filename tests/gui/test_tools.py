"""The edge tools in a real window: their mouse and keys within napari; `tools/` tests what they paint."""

import numpy as np
import pytest
from scipy import ndimage

from napari_ink.gui.models.actions import TOOL_ACTIONS
from napari_ink.gui.preferences import key_of, shown_key
from tests.gui.tools.pointing import HEIGHT, WIDTH, on_circle, overlap, pixels_of_the_disc


@pytest.fixture
def disc() -> np.ndarray:
    """The pixels of the disc."""
    return pixels_of_the_disc()


@pytest.fixture
def disc_dock(dock, disc, tmp_path, label_in_dock):
    """The dock with empty labels on a stack with the disc."""
    noise = np.random.default_rng(0).normal(0, 300, (5, HEIGHT, WIDTH))
    np.save(
        tmp_path / "disc.npy",
        np.clip(ndimage.gaussian_filter(disc * 30000.0, 1) + 9000 + noise, 0, 65535).astype(np.uint16),
    )
    label_in_dock(tmp_path / "disc.npy")
    return dock


def _ink(viewer) -> np.ndarray:
    return viewer.layers["Ink labels"].data


def test_a_double_click_closes_the_livewire_and_does_not_zoom(disc_dock, viewer, stroke, press, disc):
    press(key_of("livewire"))
    for degrees in (0, 90, 180):
        stroke(on_circle(degrees))
    assert len(viewer.layers["Marks"].data) > 10
    zoom = viewer.scene.camera.zoom
    stroke(on_circle(270), double=True)
    assert viewer.scene.camera.zoom == zoom
    assert overlap(_ink(viewer) == 2, disc) > 0.93
    assert not viewer.layers["Marks"].data.any()
    press("Z", control=True)
    assert _ink(viewer).max() == 0


def test_dragging_moves_the_picture_and_sets_no_anchor(disc_dock, viewer, stroke, press):
    press(key_of("livewire"))
    centre = viewer.scene.camera.center
    stroke((80, 80), (80, 120), (80, 140))
    assert viewer.scene.camera.center != centre
    tool = disc_dock.session.labelling.tools["livewire"]
    assert tool._wire is None or tool._wire.anchors == []


def test_each_tool_has_a_key_a_button_and_a_hint_and_yields_to_a_brush(disc_dock, viewer, press, click):
    for action in ("livewire", "edge_brush", "fill_ink", "grow", "erase_fragment", "join"):
        tool = TOOL_ACTIONS[action]
        press(key_of(action))
        assert disc_dock.session.state.tool == tool
        assert disc_dock.correct.tools[tool].isChecked()
        assert disc_dock.correct.tool_hint.text()
        assert shown_key(action) in disc_dock.correct.tools[tool].text()
        click(disc_dock.correct.tools["ink"])
        assert disc_dock.session.state.tool == "ink"
        assert not disc_dock.correct.tools[tool].isChecked()
        assert viewer.layers.selection.active.mode == "paint"
        assert not viewer.scene.camera.mouse_pan
        viewer.layers.selection.active.mode = "pan_zoom"
        assert viewer.scene.camera.mouse_pan
