from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtWidgets import QFileDialog


@pytest.fixture
def save_as(dock, click, qtbot, monkeypatch):
    """Choose in the panel what to export, press Export, and return the written image."""

    def save(path: Path, what: str, source: str) -> np.ndarray:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
        dock.export.what_box.setCurrentText(what)
        dock.export.from_box.setCurrentText(source)
        click(dock.export.export_button)
        qtbot.waitUntil(lambda: dock.session.state.exported == str(path) and not dock.session.state.busy)
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert picture.mode == "L"
                return np.asarray(picture)
        return tifffile.imread(path)

    return save


def test_strokes_of_the_mouse_are_exported_pixel_for_pixel(labelled_dock, viewer, click, stroke, save_as, tmp_path):
    viewer.layers["Ink labels"].brush_size = 7
    before = viewer.layers["Ink labels"].data.copy()
    click(labelled_dock.correct.tools["ink"])
    stroke((20, 20), (30, 60), (20, 100))
    click(labelled_dock.correct.tools["papyrus"])
    stroke((70, 20), (70, 100))
    click(labelled_dock.correct.tools["edge"])
    stroke((80, 10), (85, 110))
    ink, edges = viewer.layers["Ink labels"].data, viewer.layers["Edge labels"].data
    assert not np.array_equal(ink, before)

    for suffix in (".png", ".tif"):
        mask = save_as(tmp_path / f"ink{suffix}", "Ink mask", "My labels")
        assert mask.shape == (96, 128)
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, np.where(ink == 2, 255, 0))
        assert mask[20, 20] == mask[30, 60] == mask[20, 100] == 255
        assert (mask[70, 20:101] == 0).all()

        mask = save_as(tmp_path / f"edges{suffix}", "Edge mask", "My labels")
        assert np.array_equal(mask, np.where(edges == 1, 255, 0))
        assert mask[80, 10] == mask[85, 110] == 255

        mask = save_as(tmp_path / f"supervision{suffix}", "Supervision mask", "My labels")
        assert np.array_equal(mask, np.where(ink > 0, 255, 0))
        assert (mask[70, 20:101] == 255).all()

        values = save_as(tmp_path / f"labels{suffix}", "Ink labels (0, 1, 2)", "My labels")
        assert np.array_equal(values, ink)


def test_a_name_without_a_suffix_gets_the_chosen_suffix(labelled_dock, click, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "ink"), ""))
    labelled_dock.export.format_box.setCurrentText("TIFF")
    click(labelled_dock.export.export_button)
    qtbot.waitUntil((tmp_path / "ink.tif").is_file)


def test_strokes_during_an_export_are_not_exported(labelled_dock, viewer, qtbot, tmp_path):
    layer = viewer.layers["Ink labels"]
    before = layer.data.copy()
    labelled_dock.session.export.export("labels", "labels", tmp_path / "labels.png")
    layer.data_setitem(tuple(np.indices((96, 128)).reshape(2, -1)), 1)
    qtbot.waitUntil((tmp_path / "labels.png").is_file)
    with Image.open(tmp_path / "labels.png") as picture:
        assert np.array_equal(np.asarray(picture), before)


def test_a_figure_shows_the_visible_part(labelled_dock, viewer, click, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "figure"), ""))
    click(labelled_dock.export.figure_button)
    qtbot.waitUntil(lambda: labelled_dock.session.state.exported == str(tmp_path / "figure.png"))
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (19 * 128, 19 * 96)  # the first whole factor beyond 2400 pixels
        assert round(picture.info["dpi"][0]) == 300
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50
    assert (colours[:, 0] != colours[:, 2]).any()  # ink or edges have colours, papyrus has none


def test_the_folder_is_opened(labelled_dock, click, save_as, tmp_path, monkeypatch):
    assert not labelled_dock.export.folder_button.isEnabled()
    save_as(tmp_path / "ink.png", "Ink mask", "My labels")
    opened = []
    monkeypatch.setattr("napari_ink.gui.views.export_panel.QDesktopServices.openUrl", opened.append)
    click(labelled_dock.export.folder_button)
    assert [url.toLocalFile() for url in opened] == [str(tmp_path)]
