"""Labels are only 0, 1 and 2, whatever napari, scripts and other plugins do with the layers; 3-D is read-only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ink.gui.layers.label_layers import LabelLayers
from napari_ink.gui.models.state import Step
from napari_ink.gui.preferences import key_of
from napari_ink.region import Region
from tests.gui.driving import settle

SHAPE = (20, 30)


def _editable(read_only: bool = False) -> LabelLayers:
    values = {"ink": np.zeros(SHAPE, np.uint8), "edge": np.zeros(SHAPE, np.uint8)}
    return LabelLayers(Region(0, SHAPE[0], 0, SHAPE[1]), values, read_only)


@pytest.fixture
def painted(qapp):
    """Editable labels without a window, their signals, and their refusals."""
    labels, blocks, refused = _editable(), [], []
    labels.painted.connect(lambda new, _tool: blocks.extend(new))
    labels.refused.connect(refused.append)
    return labels, blocks, refused


@settings(deadline=None, max_examples=50)
@given(values=arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1, 2, 3, 7, 255])))
def test_only_label_values_are_signalled_whatever_is_written(qapp, values):
    labels, blocks = _editable(), []
    labels.painted.connect(lambda new, _tool: blocks.extend(new))
    labels.layers["ink"].data[:] = values
    labels.commit()
    assert np.array_equal(labels.values("ink"), np.where(values > 2, 0, values))
    assert all(block.max() <= 2 for _, _, _, block in blocks)


def test_an_invalid_selected_label_is_reset_to_the_previous_one(painted):
    labels, _, refused = painted
    layer = labels.layers["ink"]
    layer.selected_label = 2
    for other in (3, 7, 255):
        layer.selected_label = other
        assert layer.selected_label == 2
        assert str(other) in refused[-1]
    layer.selected_label = 0
    assert layer.selected_label == 0


@pytest.mark.parametrize("how", ["data_setitem", "paint", "fill"])
def test_a_script_cannot_write_a_seven(painted, how):
    labels, blocks, refused = painted
    layer = labels.layers["ink"]
    layer.data_setitem((np.array([1, 2]), np.array([3, 3])), 2)
    if how == "data_setitem":
        layer.data_setitem((np.array([1, 9]), np.array([3, 3])), 7)
    else:
        getattr(layer, how)((1, 3), 7)
    labels.commit()
    assert set(np.unique(layer.data)) == {0, 2}
    assert layer.data[1, 3] == layer.data[2, 3] == 2
    assert all(block.max() <= 2 for _, _, _, block in blocks)
    assert "7 was not taken" in refused[-1]


@pytest.mark.parametrize(
    ("given_data", "expected"),
    [
        (np.full(SHAPE, 2, np.int32), 2),
        (np.ones(SHAPE, bool), 1),
        (np.full(SHAPE, 70000, np.int64), 0),
        (np.full(SHAPE, -1, np.int16), 0),
        (np.ones((3, 4), np.uint8), 0),
        (np.ones((2, *SHAPE), np.uint8), 0),
    ],
)
def test_other_data_set_on_the_layer_is_accepted_or_refused(painted, given_data, expected):
    labels, blocks, refused = painted
    layer = labels.layers["ink"]
    layer.data = given_data
    assert layer.data.shape == SHAPE
    assert layer.data.dtype == np.uint8
    assert (layer.data == expected).all()
    assert bool(blocks) == bool(expected)
    assert bool(refused) == (not expected)
    layer.data_setitem((np.array([1]), np.array([3])), 2)  # works as before
    labels.commit()
    assert labels.values("ink")[1, 3] == 2


def test_read_only_labels_stay_read_only(qapp):
    labels, refused = _editable(read_only=True), []
    labels.refused.connect(refused.append)
    layer = labels.layers["ink"]
    layer.data = np.ones(SHAPE, np.uint8)
    assert not layer.data.any()
    assert not layer.editable
    assert "read only" in refused[-1]
    layer.editable = True
    assert not layer.editable


def _settle(qtbot) -> None:
    qtbot.wait(400)


def test_painting_in_the_window_writes_only_label_values(empty_dock, viewer, stroke, press, click, qtbot, errors):
    annotation, correct = empty_dock.session.labels.annotation, empty_dock.correct
    press(key_of("ink"))
    layer = viewer.layers["Ink labels"]
    stroke((30, 30), (30, 60))
    press("M")  # napari's key for an unused label
    message = empty_dock.status.message
    assert "0 (unreviewed), 1 (papyrus) and 2 (ink) only" in message.toPlainText()
    press("Equal")
    assert layer.selected_label == 2
    assert correct.tools["ink"].isChecked()
    stroke((60, 30), (60, 60))
    _settle(qtbot)
    assert set(annotation.count("ink")) == {2}
    assert not message.toPlainText()  # another action has succeeded since
    qtbot.waitUntil(lambda: "All saved" in empty_dock.status.saved.text())
    layer.data = np.ones((5, 5), np.uint8)
    settle()
    assert "keep their values" in message.toPlainText()
    viewer.layers.selection.active.visible = False
    settle()
    assert "hidden" in correct.edit_note.text()
    click(correct.tools["papyrus"])
    assert layer.visible
    assert not correct.edit_note.text()
    layer.name = "my ink"
    stroke((80, 30), (80, 60))
    _settle(qtbot)
    assert set(annotation.count("ink")) == {1, 2}
    assert errors == []


def test_three_dimensions_and_swapped_axes_are_read_only(empty_dock, viewer, stroke, press, click, qtbot, errors):
    annotation, correct = empty_dock.session.labels.annotation, empty_dock.correct
    layer = viewer.layers["Ink labels"]
    for turn in (
        lambda: setattr(viewer.dims, "ndisplay", 3),
        viewer.dims.transpose,
        viewer.dims.roll,
    ):
        press(key_of("ink"))
        turn()
        qtbot.wait(200)
        assert "plain view" in correct.edit_note.text()
        stroke((40, 40), (44, 60))
        press(key_of("ink"))
        stroke((40, 40), (44, 60))
        press(key_of("fill_ink"))
        stroke((40, 40))
        _settle(qtbot)
        assert annotation.count("ink") == {}
        assert "Plain view" in empty_dock.session.state.message(Step.CORRECT)
        click(correct.actions_of["plain_view"])
        assert viewer.dims.ndisplay == 2
        assert viewer.dims.displayed == (1, 2)
        assert not correct.edit_note.text()
        assert layer.editable
    press(key_of("ink"))
    stroke((40, 40), (44, 60))
    _settle(qtbot)
    assert set(annotation.count("ink")) == {2}
    assert errors == []
