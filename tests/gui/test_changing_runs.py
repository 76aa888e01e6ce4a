"""Settings changed during a prediction: the last choice counts, and few files are left over."""

import pytest

from napari_ink.predict import open_prediction
from tests.gui.driving import tiles_done

ROI = "Region of interest"


def _record(dock):
    return open_prediction(dock.session.state.prediction).provenance


@pytest.fixture
def running_dock(large_dock, click, wait):
    """The dock during a prediction, with all settings visible."""
    large_dock.predict.more.expand()
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    yield large_dock
    large_dock.session.prediction.cancel()
    wait(lambda: large_dock.session.state.run is None)


def test_the_second_of_two_quick_changes_counts_too(running_dock, wait):
    panel, first = running_dock.predict, running_dock.session.state.prediction
    panel.direction_box.setCurrentText("Reversed")
    assert running_dock.session.state.run.cancelling
    panel.direction_box.setCurrentText("As stored")
    panel.direction_box.setCurrentText("Reversed")
    panel.offset_box.setValue(2)
    panel.offset_box.settled.emit()
    wait(lambda: running_dock.session.state.prediction != first and tiles_done(running_dock) > 0)
    assert _record(running_dock)["direction"] == "reversed"
    assert _record(running_dock)["contract"]["surface_offset"] == 2
