"""A prediction under way, driven as a person would: looking around, pausing, going on, changing what was asked."""

import numpy as np
from PIL import Image

import napari_ink.gui.layers.growing_pyramid as growing
from napari_ink.predict import engine, open_prediction
from napari_ink.region import Region
from tests.gui.driving import is_over, tiles_done

ROI = "Region of interest"


def _ink(viewer) -> np.ndarray:
    return np.asarray(viewer.layers["Ink (predicted)"].data)


def test_what_is_in_sight_is_predicted_first_and_panning_changes_that(
    large_dock, viewer, click, wait, qtbot, monkeypatch
):
    order, said = [], engine._Run._event

    def noted(self, tile, *rest):
        order.append(tile)
        return said(self, tile, *rest)

    monkeypatch.setattr(engine._Run, "_event", noted)
    viewer.scene.camera.zoom = 8
    viewer.scene.camera.center = (0, 650, 650)
    qtbot.wait(300)
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 0 and _ink(viewer)[520:, 520:].any())
    click(large_dock.predict.pause_button)
    # Block by block, the one in the middle first; and tiles come in batches, which may begin beside it.
    assert all(tile.touches(Region(400, 800, 400, 800)) for tile in order)
    assert not _ink(viewer)[:230, :230].any()
    viewer.scene.camera.center = (0, 60, 60)
    qtbot.wait(300)
    before = len(order)
    click(large_dock.predict.pause_button)
    wait(lambda: _ink(viewer)[:200, :200].any())
    # Next came what is in sight now, but for a few batches that were in hand, not the hundreds around what was.
    there = next(n for n, tile in enumerate(order) if tile.touches(Region(0, 256, 0, 256)))
    assert there - before <= 16 and large_dock.session.state.run.total > 500
    large_dock.session.prediction.cancel()
    wait(lambda: is_over(large_dock))


def test_a_paused_run_waits_and_goes_on(large_dock, viewer, click, wait, qtbot):
    panel = large_dock.predict
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 5)
    click(panel.pause_button)
    qtbot.wait(400)  # the batch in hand
    done = _ink(viewer).copy()
    assert panel.status.text().startswith("Paused at tile ")
    assert panel.pause_button.text() == "Go on"
    qtbot.wait(600)
    assert np.array_equal(_ink(viewer), done)
    click(panel.pause_button)
    wait(lambda: np.count_nonzero(_ink(viewer)) > np.count_nonzero(done))
    assert panel.pause_button.text() == "Pause" and panel.status.text().startswith("Tile ")
    click(panel.pause_button)
    click(panel.cancel_button)  # a paused run is stopped like any
    wait(lambda: is_over(large_dock))


def test_the_depth_is_explored_while_a_run_goes_on(large_dock, viewer, click, wait):
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
    assert panel.folder_button.isEnabled() and not panel.hint.text()


def test_a_stopped_run_is_continued_to_its_end(large_dock, viewer, click, wait):
    panel = large_dock.predict
    viewer.scene.camera.center = (0, 700, 700)
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 300)
    click(panel.cancel_button)
    wait(lambda: is_over(large_dock))
    path = large_dock.session.state.prediction
    assert "Continue goes on with it" in panel.about.text()
    before = open_prediction(path).done()
    assert before.any() and not before.all()
    click(panel.continue_button)
    wait(lambda: large_dock.session.state.run is not None)
    wait(lambda: is_over(large_dock))
    stored = open_prediction(path)
    assert large_dock.session.state.prediction == path and stored.complete
    assert not panel.continue_button.isVisible()
    assert np.array_equal(_ink(viewer), stored.read("ink"))


def test_a_prediction_stopped_on_another_day_is_continued(large_dock, large_stack, segment, viewer, click, wait):
    panel = large_dock.predict
    panel.direction_box.setCurrentText("Reversed")
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 300)
    click(panel.cancel_button)
    wait(lambda: is_over(large_dock))
    path = large_dock.session.state.prediction
    large_dock.open_stack(segment)
    wait(lambda: large_dock.session.state.stack.name == "seg-1" and not large_dock.session.state.busy)
    assert not large_dock.session.state.can_continue and not panel.continue_button.isVisible()
    panel.direction_box.setCurrentIndex(0)
    large_dock.open_stack(large_stack)
    wait(lambda: large_dock.session.state.can_continue)
    assert "not finished; Continue" in panel.about.text()
    wait(lambda: "Ink (predicted)" in viewer.layers and _ink(viewer).any())
    click(panel.continue_button)
    wait(lambda: large_dock.session.state.run is not None)
    wait(lambda: is_over(large_dock))
    stored = open_prediction(path)
    assert stored.complete and stored.provenance["direction"] == "reversed"
    assert np.array_equal(_ink(viewer), stored.read("ink"))


def test_a_region_of_interest_alone_is_predicted(large_dock, viewer, click, wait, errors, qtbot):
    panel = large_dock.predict
    panel.area_box.setCurrentText(ROI)
    wait(lambda: ROI in viewer.layers)
    qtbot.wait(100)
    assert viewer.layers.selection.active.name == ROI and viewer.layers[ROI].mode == "add_rectangle"
    click(panel.run_button)
    assert "draw a rectangle" in errors[0] and large_dock.session.state.run is None
    triangle = np.array([[100.0, 100], [260, 100], [100, 300]])
    viewer.layers[ROI].add(triangle, shape_type="polygon")
    viewer.layers[ROI].add([[400, 500], [420, 500], [420, 560], [400, 560]], shape_type="rectangle")
    click(panel.run_button)
    wait(lambda: large_dock.session.state.run is not None)
    wait(lambda: is_over(large_dock))
    stored = open_prediction(large_dock.session.state.prediction)
    assert stored.provenance["region"] == [100, 420, 100, 560] and stored.complete
    predicted = stored.read("ink") > 0
    y, x = np.mgrid[:768, :768]
    expected = ((y >= 100) & (x >= 100) & ((y - 100) / 160 + (x - 100) / 200 <= 1)) | (
        (y >= 400) & (y < 420) & (x >= 500) & (x < 560)
    )
    assert np.count_nonzero(predicted != expected) < 1200  # along outlines, and where ink is as good as impossible
    assert not predicted[450:].any() and predicted[110:140, 110:140].all()
    with Image.open(stored.provenance["mask"]) as picture:
        assert np.array_equal(np.asarray(picture) > 0, predicted | (np.asarray(picture) > 0))


def test_a_region_that_is_moved_while_it_is_predicted_is_predicted_anew(large_dock, viewer, click, wait, qtbot):
    panel = large_dock.predict
    panel.area_box.setCurrentText(ROI)
    wait(lambda: ROI in viewer.layers)
    qtbot.wait(100)
    viewer.layers[ROI].add([[0, 0], [700, 0], [700, 700], [0, 700]], shape_type="rectangle")
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    first = large_dock.session.state.prediction
    viewer.layers[ROI].data = [np.array([[600.0, 600], [660, 600], [660, 660], [600, 660]])]
    wait(lambda: large_dock.session.state.prediction != first)
    wait(lambda: is_over(large_dock))
    stored = open_prediction(large_dock.session.state.prediction)
    assert stored.provenance["region"] == [600, 660, 600, 660] and stored.complete
    assert stored.provenance["mask"] is None  # the region alone says what was drawn
    assert not _ink(viewer)[:590].any() and _ink(viewer)[605:650, 605:650].any()
    assert not first.exists() or 0 < open_prediction(first).done_fraction < 1


def test_the_direction_and_window_changed_while_it_runs_begin_it_anew(large_dock, click, wait):
    panel = large_dock.predict
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    first = large_dock.session.state.prediction
    panel.more.expand()
    panel.direction_box.setCurrentText("Reversed")
    wait(lambda: large_dock.session.state.prediction != first and tiles_done(large_dock) > 0)
    second = large_dock.session.state.prediction
    assert open_prediction(second).provenance["direction"] == "reversed"
    panel.offset_box.setValue(1)
    wait(lambda: large_dock.session.state.prediction != second and tiles_done(large_dock) > 0)
    third = open_prediction(large_dock.session.state.prediction).provenance
    assert third["contract"]["surface_offset"] == 1 and third["direction"] == "reversed"
    click(panel.cancel_button)
    wait(lambda: is_over(large_dock))


def test_views_show_where_they_disagree(open_dock, viewer, click, wait):
    panel = open_dock.predict
    panel.more.expand()
    panel.views_box.setCurrentIndex(2)
    click(panel.run_button)
    wait(lambda: is_over(open_dock))
    stored = open_prediction(open_dock.session.state.prediction)
    assert stored.provenance["augment"] == ["flips", "rotations"]
    layer = viewer.layers["Disagreement (predicted)"]
    assert not layer.visible and np.array_equal(layer.data, stored.read("disagreement")) and layer.data.any()
    assert "mean of 8 predictions" in panel.about.text()
    panel.views_box.setCurrentIndex(0)
    click(panel.run_button)
    wait(lambda: open_dock.session.state.run is not None)
    wait(lambda: is_over(open_dock))
    assert "Disagreement (predicted)" not in viewer.layers


def test_a_large_segment_is_shown_from_coarser_copies(open_dock, viewer, click, wait, monkeypatch):
    monkeypatch.setattr(growing, "_SCREEN_PX", 40)
    monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)
    click(open_dock.predict.run_button)
    wait(lambda: is_over(open_dock))
    layer = viewer.layers["Ink (predicted)"]
    assert layer.multiscale and [level.shape for level in layer.data] == [(96, 128), (48, 64), (24, 32)]
    stored = open_prediction(open_dock.session.state.prediction)
    assert np.array_equal(layer.data[0], stored.read("ink"))
    viewer.scene.camera.zoom = 10
    viewer.scene.camera.center = (0, 40, 40)
    wait(lambda: layer.data_level == 0)
    click(open_dock.predict.run_button)
    wait(lambda: open_dock.session.state.run is not None)
    wait(lambda: "Ink (predicted)" in viewer.layers and viewer.layers["Ink (predicted)"] != layer)
    wait(lambda: is_over(open_dock))
