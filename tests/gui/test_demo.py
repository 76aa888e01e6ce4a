import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_ink.annotation import project
from napari_ink.errors import BadInputError, StackError
from napari_ink.gui import demo as demo_module
from napari_ink.gui import dock as dock_module
from napari_ink.gui.app import open_window
from napari_ink.gui.demo import Demonstration
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """A phantom segment in place of the sample, small enough for a test."""
    phantom = make_phantom(PhantomConfig(seed=3, height=128, width=160, depth_layers=17))
    folder = write_segment(phantom, tmp_path / "small")
    monkeypatch.setattr(dock_module, "sample_path", lambda: folder)
    monkeypatch.setattr(demo_module, "_SETTLE_MS", 200)
    monkeypatch.setattr(project, "user_cache_path", lambda _: tmp_path / "cache")
    return folder


def test_the_demonstration_clicks_through_all_steps_and_saves_its_pictures(
    sample, dock, viewer, tmp_path, qtbot, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    out = Path("out")  # relative, as in `make demo`
    out.mkdir()
    demo = Demonstration(viewer, dock, out)
    ink = []
    dock.session.changed.connect(
        lambda state: ink.append(viewer.layers["Ink (predicted)"].data.copy()) if state.labels and not ink else None
    )
    demo.begin()
    qtbot.waitUntil(lambda: demo.exit_code == 0, timeout=60000)
    with Image.open(out / "ink.png") as mask:
        assert np.array_equal(np.asarray(mask) > 0, ink[0] >= 128)
    with Image.open(out / "edges.png") as mask:
        assert mask.size == (160, 128)
    with Image.open(out / "window.png") as picture:
        assert picture.width > 1000
        assert np.asarray(picture).std() > 10
    scores = json.loads((out / "scores.json").read_text())
    assert set(scores) >= {"f0_5", "best_f0_5", "edge_ods", "projection_best_f0_5"}
    assert all(0 <= value <= 1 for value in scores.values())
    assert scores["f0_5"] <= scores["best_f0_5"] + 1e-9
    printed = capsys.readouterr().out
    assert all(str(out / name) in printed for name in ("window.png", "ink.png", "edges.png", "scores.json"))


def test_a_failed_demonstration_is_reported_with_exit_code_1(sample, dock, viewer, tmp_path, qtbot, capsys):
    (sample / "layers" / "03.tif").unlink()
    demo = Demonstration(viewer, dock, tmp_path)
    closed = []
    demo.ended.connect(lambda: closed.append(True))
    demo.begin()
    qtbot.waitUntil(lambda: bool(closed), timeout=20000)
    assert demo.exit_code == 1
    assert "3" in capsys.readouterr().err
    assert not (tmp_path / "ink.png").exists()


def test_the_window_stays_open_with_labels_ready_without_headless(sample, dock, viewer, qtbot):
    demo = Demonstration(viewer, dock, None)
    demo.begin()
    qtbot.waitUntil(lambda: dock.session.state.labels, timeout=60000)
    qtbot.wait(300)
    assert demo.exit_code == 0
    assert dock.isVisible()
    assert viewer.layers.selection.active == viewer.layers["Ink labels"]


def test_a_missing_project_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="project"):
        open_window(tmp_path / "segment.ink")


def test_a_path_without_a_stack_is_refused_before_a_window_opens(tmp_path):
    with pytest.raises(StackError):
        open_window(tmp_path)


def test_a_missing_display_gives_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInputError, match="no display"):
        open_window(tmp_path)
