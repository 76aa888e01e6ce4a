from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from napari_ink.gui.models.state import cut_level


@pytest.fixture
def save_as(dock, click, qtbot, monkeypatch):
    """Choose what to export in the panel, press Export, and return the image that was written."""

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


def test_strokes_of_the_mouse_come_out_pixel_for_pixel(labelled_dock, viewer, click, stroke, save_as, tmp_path):
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


def test_the_prediction_is_exported_as_it_is_shown(predicted_dock, viewer, save_as, tmp_path):
    predicted_dock.predict.ink_threshold.slider.setValue(55)
    ink = viewer.layers["Ink (predicted)"].data
    mask = save_as(tmp_path / "ink.png", "Ink mask", "The prediction, as shown")
    assert np.array_equal(mask, np.where(ink >= cut_level(0.55), 255, 0))
    assert f"Saved {tmp_path / 'ink.png'}" in predicted_dock.export.saved.text()
    predicted_dock.predict.edge_threshold.slider.setValue(45)
    assert predicted_dock.session.state.exported == ""
    edges = viewer.layers["Edges (predicted)"].data
    mask = save_as(tmp_path / "edges.tif", "Edge mask", "The prediction, as shown")
    assert np.array_equal(mask, np.where(edges >= cut_level(0.45), 255, 0))


def test_labels_are_offered_first_once_there_are_any(labelled_dock):
    assert labelled_dock.export.from_box.currentText() == "My labels"


def test_what_cannot_be_exported_says_why(predicted_dock):
    panel = predicted_dock.export
    assert panel.from_box.currentText() == "The prediction, as shown"
    panel.what_box.setCurrentText("Supervision mask")
    assert not panel.export_button.isEnabled()
    assert "My labels" in panel.why.text()
    panel.from_box.setCurrentText("My labels")
    assert "step 3" in panel.why.text()


def test_an_image_can_be_replaced_as_the_file_chooser_has_asked(labelled_dock, save_as, tmp_path):
    (tmp_path / "ink.png").write_bytes(b"old")
    assert save_as(tmp_path / "ink.png", "Ink mask", "My labels").shape == (96, 128)


def test_a_name_without_a_suffix_gets_the_chosen_one(labelled_dock, click, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "ink"), ""))
    labelled_dock.export.format_box.setCurrentText("TIFF")
    click(labelled_dock.export.export_button)
    qtbot.waitUntil((tmp_path / "ink.tif").is_file)


def test_a_folder_that_is_not_there_is_one_clear_sentence(labelled_dock, errors, qtbot, tmp_path):
    labelled_dock.session.export.export("ink", "labels", tmp_path / "nowhere" / "ink.png")
    qtbot.waitUntil(lambda: bool(errors))
    assert "nowhere" in errors[0]
    qtbot.waitUntil(lambda: not labelled_dock.session.state.busy)
    assert labelled_dock.session.state.exported == ""


def test_what_is_painted_while_it_is_written_stays_out(labelled_dock, viewer, qtbot, tmp_path):
    layer = viewer.layers["Ink labels"]
    before = layer.data.copy()
    labelled_dock.session.export.export("labels", "labels", tmp_path / "labels.png")
    layer.data_setitem(tuple(np.indices((96, 128)).reshape(2, -1)), 1)
    qtbot.waitUntil((tmp_path / "labels.png").is_file)
    with Image.open(tmp_path / "labels.png") as picture:
        assert np.array_equal(np.asarray(picture), before)


def test_labels_come_out_and_back_in_other_formats(empty_dock, viewer, click, qtbot, monkeypatch, tmp_path):
    session = empty_dock.session
    session.labels.apply(
        [("ink", 10, 20, np.full((8, 9), 2, np.uint8)), ("ink", 40, 20, np.full((8, 9), 1, np.uint8))], "x"
    )
    truth = viewer.layers["Ink labels"].data.copy()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "out"), ""))
    empty_dock.export.what_box.setCurrentText("Ink labels (0, 1, 2)")
    gone: list[str] = []
    viewer.layers.events.removed.connect(lambda event: gone.append(event.value.name))
    suffixes = {"NumPy": ".npy", "OME-Zarr": ".zarr", "GeoJSON": ".geojson", "SVG": ".svg", "COCO": ".json"}
    for form, suffix in suffixes.items():
        path = tmp_path / f"out{suffix}"
        empty_dock.export.format_box.setCurrentText(form)
        click(empty_dock.export.export_button)
        qtbot.waitUntil(lambda path=path: session.state.exported == str(path) and not session.state.busy)
        session.labels.apply([("ink", 0, 0, np.zeros((96, 128), np.uint8))], "x")
        assert viewer.layers["Ink labels"].data.max() == 0
        session.labelling.import_labels(path, "ink")
        qtbot.waitUntil(lambda: not session.state.busy and np.array_equal(viewer.layers["Ink labels"].data, truth))
        qtbot.waitUntil(lambda: session.state.storage.undo_name == "import")
    assert not gone  # not even for a moment


def test_what_a_format_cannot_hold_is_said_before(empty_dock):
    panel = empty_dock.export
    panel.what_box.setCurrentText("Ink labels (0, 1, 2)")
    panel.format_box.setCurrentText("Kaggle's csv")
    assert "holds one mask" in panel.why.text()
    assert not panel.export_button.isEnabled()
    panel.what_box.setCurrentText("Edge mask")
    assert panel.export_button.isEnabled()
    panel.format_box.setCurrentText("villa's Zarr")
    assert "ink and supervision" in panel.why.text()


def test_a_mask_from_a_file_begins_the_labels(open_dock, viewer, qtbot, tmp_path, errors):
    mask = np.zeros((100, 130), np.uint8)  # padded, as predictions of others are
    mask[20:30, 40:60] = 255
    Image.fromarray(mask).save(tmp_path / "theirs.png")
    open_dock.session.labelling.import_labels(tmp_path / "theirs.png", "ink")
    qtbot.waitUntil(lambda: open_dock.session.state.labels and not open_dock.session.state.busy)
    assert np.array_equal(viewer.layers["Ink labels"].data, np.where(mask[:96, :128], 2, 0))
    Image.fromarray(mask[:50]).save(tmp_path / "small.png")
    open_dock.session.labelling.import_labels(tmp_path / "small.png", "edge")
    qtbot.waitUntil(lambda: bool(errors))
    assert "smaller than the segment" in errors[0]


def test_what_an_import_leaves_out_is_told(open_dock, viewer, qtbot, tmp_path):
    square = '<path data-value="255" data-name="ink" d="M1 1h5v5h-5z"'
    (tmp_path / "a.svg").write_text(f'<svg width="128" height="96">{square} display="none"/>{square}/></svg>')
    open_dock.session.labelling.import_labels(tmp_path / "a.svg", "ink")
    qtbot.waitUntil(lambda: open_dock.session.state.labels and not open_dock.session.state.busy)
    assert viewer.layers["Ink labels"].data.sum() == 2 * 25
    assert open_dock.correct.versions.notes.text() == "a.svg: shapes are left out (1 hidden)."


def test_a_figure_shows_what_is_in_sight(labelled_dock, viewer, click, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "figure"), ""))
    click(labelled_dock.export.figure_button)
    qtbot.waitUntil(lambda: labelled_dock.session.state.exported == str(tmp_path / "figure.png"))
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (128, 96)
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50
    assert (colours[:, 0] != colours[:, 2]).any()  # ink or edges have colours, papyrus has none


def test_the_folder_is_opened(labelled_dock, click, save_as, tmp_path, monkeypatch):
    assert not labelled_dock.export.folder_button.isVisible()
    save_as(tmp_path / "ink.png", "Ink mask", "My labels")
    opened = []
    monkeypatch.setattr("napari_ink.gui.views.export_panel.QDesktopServices.openUrl", opened.append)
    click(labelled_dock.export.folder_button)
    assert [url.toLocalFile() for url in opened] == [str(tmp_path)]
