from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QFileDialog

from tests.gui.driving import settle


def _wait_for(qtbot, dock, source: Path) -> None:
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and dock.session.state.stack.name == source.stem)


def test_the_file_button_opens_a_file(dock, tmp_path, click, qtbot, monkeypatch):
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path / "piece.npy"), ""))
    click(dock.stack.file_button)
    _wait_for(qtbot, dock, tmp_path / "piece.npy")
    settle()
    assert "no papyrus mask beside it" in dock.stack.summary.text().replace("\u00a0", " ")
    assert not dock.predict.mask_box.isEnabled()


def test_another_stack_replaces_the_first(labelled_dock, viewer, tmp_path, qtbot):
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    labelled_dock.open_stack(tmp_path / "piece.npy")
    _wait_for(qtbot, labelled_dock, tmp_path / "piece.npy")
    assert [layer.name for layer in viewer.layers] == ["piece"]
    assert not labelled_dock.session.state.labels
    assert not labelled_dock.session.state.has_prediction


def test_edited_labels_reopen_with_their_stack(labelled_dock, viewer, segment, tmp_path, qtbot):
    viewer.layers["Ink labels"].paint((10, 10), 1)
    np.save(tmp_path / "piece.npy", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    labelled_dock.open_stack(tmp_path / "piece.npy")
    _wait_for(qtbot, labelled_dock, tmp_path / "piece.npy")
    assert {layer.name for layer in viewer.layers} == {"piece"}
    labelled_dock.open_stack(segment)
    qtbot.waitUntil(lambda: labelled_dock.session.state.labels, timeout=20000)
    assert viewer.layers["Ink labels"].data[10, 10] == 1
    assert labelled_dock.session.state.labels_edited
