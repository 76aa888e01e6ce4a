"""Kept predictions in the real window: two runs, the first used again, compared, deleted and restored."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_ink.predict import open_prediction

pytestmark = pytest.mark.window


def test_a_prediction_is_used_compared_deleted_and_restored_with_the_mouse(
    predicted_dock, viewer, click, press, qtbot, errors
):
    dock = predicted_dock
    session, kept = dock.session, dock.predict.predictions
    first, shown = session.state.prediction, viewer.layers["Ink (predicted)"].data.copy()
    dock.predict.more.expand()
    dock.predict.direction_box.setCurrentText("Reversed")
    click(dock.predict.run_button)
    qtbot.waitUntil(lambda: session.state.run is None and session.state.prediction != first, timeout=60000)
    second = session.state.prediction
    qtbot.waitUntil(lambda: len(session.state.predictions.rows) == 2, timeout=10000)

    def select(path):
        index = kept.rows.index_of(path)
        kept.list.scrollTo(index)
        qtbot.mouseClick(kept.list.viewport(), Qt.MouseButton.LeftButton, pos=kept.list.visualRect(index).center())

    select(first)
    click(kept.use_button)
    qtbot.waitUntil(lambda: session.state.prediction == first and not session.state.busy)
    assert np.array_equal(viewer.layers["Ink (predicted)"].data, shown)
    select(second)
    click(kept.compare_button)
    qtbot.waitUntil(lambda: "Difference of predictions" in viewer.layers)
    assert "Yellow" in kept.legend.text()
    other = viewer.layers["Ink (compared)"]
    press("F", shift=True)
    assert other.visible and not viewer.layers["Ink (predicted)"].visible
    # Tiles are read on threads, and the layer is drawn again once they are there.
    expected = open_prediction(second).read("ink")
    qtbot.waitUntil(lambda: np.array_equal(np.asarray(other._slice.image.raw), expected), timeout=10000)
    press("F", shift=True)
    assert viewer.layers["Ink (predicted)"].visible and not other.visible
    click(kept.discard_button)
    qtbot.waitUntil(lambda: len(session.state.predictions.trash) == 1)
    assert "Difference of predictions" not in viewer.layers and not second.exists()
    click(kept.undo_button)
    qtbot.waitUntil(lambda: len(session.state.predictions.rows) == 2)
    assert second.exists() and session.state.prediction == first and errors == []
