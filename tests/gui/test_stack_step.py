from pathlib import Path

import numpy as np
import tifffile
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_ink.gui.layers.manager import LayerManager
from napari_ink.stack import DepthStack, open_stack
from tests.gui.driving import settle


def _wait_for(qtbot, dock, source: Path) -> None:
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and dock.session.state.stack.name == source.stem)


def test_at_first_only_the_stack_step_is_open(dock):
    assert dock.stack.folder_button.isEnabled()
    assert dock.predict.hint.text() == "Open a stack first."
    assert not dock.predict.run_button.isVisible()
    assert not dock.correct.editable_button.isVisible()
    assert not dock.export.export_button.isVisible()


def test_the_folder_button_opens_a_segment(dock, segment, click, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(segment))
    click(dock.stack.folder_button)
    _wait_for(qtbot, dock, segment)
    summary = dock.stack.summary.text().replace("\u00a0", " ")
    assert "seg-1" in summary
    assert "12 depth layers of 96 × 128 px · 16 bit" in summary
    assert "seg-1_mask.png" in summary
    assert "surface is layer 6" in dock.stack.depth_hint.text()
    assert dock.predict.run_button.isVisible()


def test_the_file_button_opens_a_file(dock, tmp_path, click, qtbot, monkeypatch):
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path / "piece.npy"), ""))
    click(dock.stack.file_button)
    _wait_for(qtbot, dock, tmp_path / "piece.npy")
    settle()
    assert "no papyrus mask beside it" in dock.stack.summary.text().replace("\u00a0", " ")
    assert not dock.predict.mask_box.isEnabled()


def test_a_stack_is_shown_lazily_on_its_surface_and_at_its_contrast(open_dock, viewer, segment):
    (layer,) = viewer.layers
    stack = open_stack(segment)
    assert isinstance(layer.data, DepthStack)
    assert layer.contrast_limits == list(stack.contrast_limits())
    assert viewer.dims.current_step[0] == stack.surface_z == 6
    assert tuple(layer.scale) == (1, 1, 1)


def test_a_missing_layer_is_one_clear_sentence(open_dock, segment, tmp_path, errors, qtbot):
    before = open_dock.session.state.stack
    (segment / "layers" / "03.tif").unlink()
    open_dock.open_stack(segment)
    qtbot.waitUntil(lambda: bool(errors))
    assert "3" in errors[0]
    assert "\n" not in errors[0]
    qtbot.waitUntil(lambda: not open_dock.session.state.busy)
    assert open_dock.session.state.stack is before


def test_a_folder_without_tiffs_is_refused(dock, tmp_path, errors, qtbot):
    (tmp_path / "empty").mkdir()
    dock.open_stack(tmp_path / "empty")
    qtbot.waitUntil(lambda: bool(errors))
    assert dock.session.state.stack is None
    assert dock.stack.folder_button.isVisible()


def test_another_stack_takes_the_place_of_the_first(labelled_dock, viewer, tmp_path, qtbot):
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    labelled_dock.open_stack(tmp_path / "piece.npy")
    _wait_for(qtbot, labelled_dock, tmp_path / "piece.npy")
    assert [layer.name for layer in viewer.layers] == ["piece"]
    assert not labelled_dock.session.state.labels
    assert not labelled_dock.session.state.has_prediction


def test_edited_labels_come_back_with_their_stack(labelled_dock, viewer, segment, tmp_path, qtbot):
    viewer.layers["Ink labels"].paint((10, 10), 1)
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    labelled_dock.open_stack(tmp_path / "piece.npy")
    _wait_for(qtbot, labelled_dock, tmp_path / "piece.npy")
    assert {layer.name for layer in viewer.layers} == {"piece"}
    labelled_dock.open_stack(segment)
    qtbot.waitUntil(lambda: labelled_dock.session.state.labels, timeout=20000)
    assert viewer.layers["Ink labels"].data[10, 10] == 1
    assert labelled_dock.session.state.labels_edited


def test_taking_the_stack_out_of_the_list_goes_back_to_the_first_step(labelled_dock, viewer):
    viewer.layers.remove(viewer.layers["seg-1"])
    assert labelled_dock.session.state.stack is None
    settle()
    assert labelled_dock.predict.hint.text() == "Open a stack first."
    assert len(viewer.layers) == 0


def test_a_dock_opened_late_takes_up_the_stack_that_is_there(make_napari_viewer_proxy, segment):
    from napari_ink.gui.dock import InkDock

    viewer = make_napari_viewer_proxy()
    viewer.open(str(segment), plugin="napari-ink")
    dock = InkDock(viewer)
    assert dock.session.state.stack is not None
    assert isinstance(dock.session.state.stack, DepthStack)
    viewer.window.add_dock_widget(dock)


def test_the_layers_module_lets_go_of_the_viewer(make_napari_viewer_proxy, segment):
    viewer = make_napari_viewer_proxy()
    layers = LayerManager(viewer, QWidget())
    arrived = []
    layers.stack_arrived.connect(arrived.append)
    layers.release()
    viewer.open(str(segment), plugin="napari-ink")
    assert arrived == []


def test_uneven_files_are_named(dock, segment, errors, qtbot):
    tifffile.imwrite(segment / "layers" / "05.tif", np.zeros((96, 100), np.uint16))
    dock.open_stack(segment)
    qtbot.waitUntil(lambda: bool(errors))
    assert "05.tif" in errors[0]
