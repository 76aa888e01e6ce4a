"""Labelling without a window: labels are made, edited, counted, undone, replaced only on request, and shown again."""

import numpy as np
import pytest

from napari_ink.annotation import LabelValue, draft_edge_labels, draft_ink_labels
from napari_ink.gui.models.actions import Tool, ToolSettings
from napari_ink.gui.models.state import Step
from tests.gui.controllers.conftest import make_editable
from tests.gui.model_events import press_key, stroke
from tests.gui.windowless import take_turns


def test_the_prediction_becomes_labels_at_the_visible_thresholds(predicted_session, viewer_model, held_jobs):
    predicted_session.prediction.shown.set_threshold("ink", 0.6)
    ink, edge = (predicted_session._layers.overlay.probabilities(what) for what in ("ink", "edge"))
    make_editable(predicted_session, held_jobs)
    assert np.array_equal(viewer_model.layers["Ink labels"].data, draft_ink_labels(ink, 0.6))
    assert np.array_equal(viewer_model.layers["Edge labels"].data, draft_edge_labels(edge, 0.5))
    assert set(np.unique(viewer_model.layers["Ink labels"].data)) == {0, 2}
    assert not viewer_model.layers["Ink (predicted)"].visible
    assert not predicted_session.state.labels_edited


def test_without_a_prediction_labels_start_empty(empty_session, viewer_model):
    for name in ("Ink labels", "Edge labels"):
        layer = viewer_model.layers[name]
        assert layer.data.max() == 0
        assert (layer.data.dtype, layer.data.shape, layer.contour) == (np.uint8, (96, 128), 0)
        assert isinstance(layer.data, np.ndarray)
    assert viewer_model.layers.selection.active == viewer_model.layers["Ink labels"]


def test_colours_are_fixed_and_all_different(empty_session, viewer_model):
    layers = viewer_model.layers
    shown = [tuple(layers[name].get_color(value)) for name in ("Ink labels", "Edge labels") for value in (1, 2)]
    assert len(set(shown)) == 4
    assert all(layers["Ink labels"].colormap.map(0) == 0)


def test_erasing_undo_and_redo(empty_session, viewer_model):
    layer, labels = viewer_model.layers["Ink labels"], empty_session.labels
    empty_session.labelling.activate_tool(Tool.INK)
    stroke(viewer_model, (40, 30), (40, 90))
    painted = layer.data.copy()
    assert (painted[40, 30:91] == 2).all()
    empty_session.labelling.activate_tool(Tool.ERASE_INK)
    assert empty_session.state.tool == "erase ink"
    stroke(viewer_model, (40, 60), (40, 90))
    assert (layer.data[40, 75], layer.data[40, 35]) == (0, 2)
    assert [one.tool for one in labels.annotation.history()] == ["ink", "erase ink"]
    press_key(viewer_model, "Control-Z")
    assert np.array_equal(layer.data, painted)
    press_key(viewer_model, "Control-Z")
    assert layer.data.max() == 0
    press_key(viewer_model, "Control-Shift-Z")
    assert np.array_equal(layer.data, painted)
    assert np.array_equal(labels.annotation.read("ink", (0, 96), (0, 128)), painted)


def test_napari_fills_and_draws_polygons_in_the_labels(empty_session, viewer_model):
    layer, labels = viewer_model.layers["Ink labels"], empty_session.labels
    empty_session.labelling.activate_tool(Tool.INK)
    layer.mode = "fill"
    stroke(viewer_model, (50, 50))
    assert (layer.data == 2).all()
    assert labels.annotation.history()[-1].tool == "fill ink"
    press_key(viewer_model, "Control-Z")
    assert (layer.data == 0).all()
    layer.paint_polygon([(10, 10), (10, 50), (50, 50), (50, 10)], 1)
    empty_session._layers.editable.commit()
    stored = labels.annotation.read("ink", (0, 96), (0, 128))
    assert (stored[30, 30], stored[60, 60]) == (1, 0)


def test_labelled_pixels_are_counted(empty_session, viewer_model):
    empty_session.labelling.activate_tool(Tool.PAPYRUS)
    stroke(viewer_model, (40, 30), (40, 60))
    pixels = int((viewer_model.layers["Ink labels"].data == 1).sum())
    assert pixels > 31
    assert (empty_session.state.counts.papyrus, empty_session.state.counts.ink) == (pixels, 0)
    assert empty_session.state.labels_edited
    empty_session.labelling.undo()
    assert empty_session.state.counts.papyrus == 0


@pytest.fixture
def reopened(open_session, held_jobs, segment):
    """The session with three strokes of an earlier day, whose values are on the disk alone."""
    make_editable(open_session, held_jobs)
    for row in range(3):
        open_session.labels.apply([("ink", 10 * row, 10, np.full((5, 5), 2, np.uint8))], "ink")
    open_session.open_stack(segment)
    held_jobs.work()
    take_turns()
    return open_session


def test_steps_of_an_earlier_day_are_read_on_a_thread_and_undone_in_order(reopened, viewer_model, held_jobs):
    layer = viewer_model.layers["Ink labels"]
    for _ in range(2):
        reopened.labelling.undo()
    assert np.count_nonzero(layer.data) == 75  # the window does not wait for the disk
    held_jobs.work()
    assert np.count_nonzero(layer.data) == 25 and layer.data[10:15, 10:15].max() == 0 == layer.data[20:25, 10:15].max()
    reopened.labelling.redo()
    assert np.count_nonzero(layer.data) == 50  # still in memory
    for kind in ("undo", "undo", "redo"):
        getattr(reopened.labelling, kind)()
    held_jobs.work()
    assert np.count_nonzero(layer.data) == 25 and layer.data[:5, 10:15].min() == 2


def test_a_stroke_drawn_meanwhile_is_not_undone_in_place_of_an_earlier_one(reopened, viewer_model, held_jobs):
    reopened.labelling.undo()
    reopened.labels.apply([("ink", 50, 50, np.full((5, 5), 2, np.uint8))], "ink")
    held_jobs.work()
    assert np.count_nonzero(viewer_model.layers["Ink labels"].data) == 100
    reopened.labelling.undo()
    assert np.count_nonzero(viewer_model.layers["Ink labels"].data) == 75


def test_a_step_that_cannot_be_read_is_reported(reopened, viewer_model, held_jobs, errors):
    (reopened.labels.project.folder / "journal.bin").unlink()
    for _ in range(2):
        reopened.labelling.undo()
    held_jobs.work()
    assert len(errors) == 1 and "This step cannot be undone" in errors[0]
    assert np.count_nonzero(viewer_model.layers["Ink labels"].data) == 75


def test_edited_labels_are_replaced_only_on_request(predicted_session, viewer_model, held_jobs):
    make_editable(predicted_session, held_jobs)
    layer = viewer_model.layers["Ink labels"]
    predicted_session.labels.apply([("ink", 10, 10, np.ones((20, 20), np.uint8))], "papyrus")
    edited = layer.data.copy()
    predicted_session.labelling.make_editable()
    held_jobs.work()
    assert "kept" in predicted_session.state.message(Step.CORRECT)
    assert np.array_equal(layer.data, edited)
    predicted_session.labelling.make_editable(replace_edited=True)
    held_jobs.work()
    take_turns()
    assert 1 not in viewer_model.layers["Ink labels"].data
    assert [one.name for one in viewer_model.layers].count("Ink labels") == 1
    predicted_session.labelling.undo()
    assert np.array_equal(viewer_model.layers["Ink labels"].data, edited)


def test_labels_removed_from_the_layer_list_can_be_shown_again(empty_session, viewer_model, held_jobs):
    empty_session.labels.apply([("ink", 10, 10, np.ones((20, 20), np.uint8))], "papyrus")
    drawn = viewer_model.layers["Ink labels"].data.copy()
    viewer_model.layers.remove(viewer_model.layers["Ink labels"])
    take_turns()
    assert not empty_session.state.labels
    assert "Edge labels" not in viewer_model.layers
    empty_session.labels.changed.emit()  # as after they have been saved
    assert not empty_session.state.labels_edited
    make_editable(empty_session, held_jobs)
    assert np.array_equal(viewer_model.layers["Ink labels"].data, drawn)


def test_a_later_overlay_is_below_the_labels_and_leaves_them_unchanged(empty_session, viewer_model):
    empty_session.labels.apply([("ink", 10, 10, np.ones((20, 20), np.uint8))], "papyrus")
    before = viewer_model.layers["Ink labels"].data.copy()
    empty_session.prediction.shown.begin((96, 128), False)
    empty_session._layers.overlay.put(slice(None), slice(None), *np.full((2, 96, 128), 255, np.uint8))
    take_turns()
    assert np.array_equal(viewer_model.layers["Ink labels"].data, before)
    assert [layer.name for layer in viewer_model.layers][-3:] == ["Ink labels", "Edge labels", "Marks"]


def test_versions_are_saved_listed_and_restored(empty_session, viewer_model, held_jobs):
    empty_session.labels.apply([("ink", 10, 10, np.full((5, 5), 2, np.uint8))], "ink")
    drawn = viewer_model.layers["Ink labels"].data.copy()
    empty_session.labelling.save_version("first")
    held_jobs.work()
    assert empty_session.state.versions == ("first",)
    empty_session.labels.apply([("ink", 0, 0, np.zeros((96, 128), np.uint8))], "erase ink")
    empty_session.labelling.restore_version("first")
    held_jobs.work()
    assert np.array_equal(viewer_model.layers["Ink labels"].data, drawn)
    empty_session.labelling.undo()
    assert viewer_model.layers["Ink labels"].data.max() == 0


def test_a_rotated_view_disables_tools_and_gives_the_reason(empty_session, viewer_model):
    empty_session.labelling.activate_tool(Tool.LIVEWIRE)
    assert empty_session.state.tool == "livewire"
    viewer_model.dims.ndisplay = 3
    assert empty_session.state.tool == ""
    empty_session.labelling.activate_tool(Tool.INK)
    assert empty_session.state.tool == ""
    assert "Plain view" in empty_session.state.message(Step.CORRECT)


def test_the_settings_of_a_tool_are_its_own(empty_session, viewer_model):
    labelling = empty_session.labelling
    labelling.activate_tool(Tool.EDGE)
    assert empty_session.state.tool_settings == ToolSettings(brush_px=3)
    labelling.set_brush(7)
    assert viewer_model.layers["Edge labels"].brush_size == 7
    assert viewer_model.layers["Ink labels"].brush_size == 15
    labelling.activate_tool(Tool.EDGE_BRUSH)
    assert empty_session.state.tool_settings == ToolSettings(brush_px=15, paints_papyrus=False)
    viewer_model.layers["Ink labels"].brush_size = 21  # napari's keys [ and ], and its layer controls
    assert empty_session.state.tool_settings.brush_px == 21
    labelling.activate_tool(Tool.GROW)
    labelling.set_reach(200)
    labelling.activate_tool(Tool.FILL_INK)
    labelling.paint_papyrus(True)
    assert empty_session.state.tool_settings == ToolSettings(reach_px=1024, paints_papyrus=True)
    assert labelling.context.value_to_paint(shift=False) == LabelValue.PAPYRUS
    assert labelling.context.value_to_paint(shift=True) == LabelValue.INK
    labelling.activate_tool(Tool.GROW)
    assert empty_session.state.tool_settings == ToolSettings(reach_px=200)


def test_every_key_does_something(session):
    from napari_ink.gui.models.actions import ACTIONS

    dialogs = {"note", "help"}  # actions of the panel
    assert {one.name for one in ACTIONS} == set(session.actions()) | dialogs
