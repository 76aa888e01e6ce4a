"""A running prediction in a real window: viewing other layers, pausing, continuing, cancelling."""

import numpy as np

from tests.gui.driving import is_over, tiles_done


def _ink(viewer) -> np.ndarray:
    return np.asarray(viewer.layers["Ink (predicted)"].data)


def test_a_paused_run_waits_and_continues(large_dock, viewer, click, wait, qtbot):
    panel = large_dock.predict
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 5)
    click(panel.pause_button)
    qtbot.wait(400)  # the current batch
    done = _ink(viewer).copy()
    assert panel.about.text().startswith("Paused at tile ")
    assert panel.pause_button.text() == "Resume"
    qtbot.wait(600)
    assert np.array_equal(_ink(viewer), done)
    click(panel.pause_button)
    wait(lambda: np.count_nonzero(_ink(viewer)) > np.count_nonzero(done))
    assert panel.pause_button.text() == "Pause" and panel.about.text().startswith("Tile ")
    click(panel.pause_button)
    click(panel.cancel_button)  # a paused run can be cancelled too
    wait(lambda: is_over(large_dock))


def test_the_depth_slider_works_during_a_run(large_dock, viewer, click, wait):
    panel, depths = large_dock.stack, large_dock.stack.depths
    depths.expand()
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 5)
    assert not panel.folder_button.isEnabled() and not panel.file_button.isEnabled()
    assert panel.hint.text() == "To open another stack, wait for the prediction or cancel it."
    click(depths.buttons["projection"])
    wait(lambda: "Projection" in viewer.layers)
    assert large_dock.session.state.run is not None
    click(large_dock.predict.cancel_button)
    wait(lambda: is_over(large_dock))
    assert panel.folder_button.isEnabled() and not panel.hint.text().startswith("To open another stack")
