import napari
import numpy as np
from napari.layers import Image, Labels, Points, Shapes, Vectors
from napari.settings import get_settings
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_ink.gui.layers.label_layers import LabelLayers
from napari_ink.gui.models.actions import ACTIONS, TOOL_ACTIONS
from napari_ink.gui.preferences import key_of
from napari_ink.region import Region


def _answer(choice: str) -> list[str]:
    """Press a button of the next message box; the returned list gets the text of the box."""
    texts: list[str] = []

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        texts.append(box.text())
        next(one for one in box.buttons() if one.text() == choice).click()

    QTimer.singleShot(200, press)
    return texts


def test_a_stroke_of_the_mouse_paints_with_each_tool(empty_dock, viewer, click, stroke, press):
    ink, edges = "Ink labels", "Edge labels"
    tools = ("ink", ink, 2), ("papyrus", ink, 1), ("edge", edges, 1), ("not edge", edges, 2)
    for tool, name, value in tools:
        click(empty_dock.correct.tools[tool])
        assert empty_dock.correct.tools[tool].isChecked()
        viewer.layers[name].brush_size = 5
        stroke((40, 30), (40, 60), (40, 90))
        painted = viewer.layers[name].data
        assert set(np.unique(painted)) == {0, value}
        rows, columns = np.nonzero(painted)
        assert (rows.min(), rows.max()) == (38, 42)
        assert columns.min() in (27, 28, 29)
        assert columns.max() in (91, 92, 93)
        assert (painted[40, 30:91] == value).all()
        assert viewer.layers[edges if name == ink else ink].data.max() == 0
        press("Z", control=True)
        assert viewer.layers[name].data.max() == 0


def test_keys_activate_the_tools(empty_dock, viewer, press, qtbot):
    for action in ("papyrus", "edge", "not_edge", "ink"):
        press(key_of(action))
        qtbot.waitUntil(lambda action=action: empty_dock.session.state.tool == TOOL_ACTIONS[action])
        assert viewer.layers.selection.active.mode == "paint"


def test_keys_do_not_override_napari():
    meant = {"undo", "redo"}  # they act on the store, not only on the layer
    ours = {str(coerce_keybinding(one.key)) for one in ACTIONS if one.name not in meant}
    taken = {str(key) for layer_type in (napari.Viewer, Labels, Image, Vectors) for key in layer_type.class_keymap}
    shortcuts = {str(key) for keys in get_settings().shortcuts.shortcuts.values() for key in keys}
    of_other_layers = {str(key) for layer_type in (Points, Shapes) for key in layer_type.class_keymap}
    assert not ours & taken, ours & taken
    assert not ours & (shortcuts - of_other_layers)
    assert len(ours) == len(ACTIONS) - len(meant)


def test_a_new_prediction_leaves_edits_unchanged(labelled_dock, viewer, click, stroke, qtbot):
    click(labelled_dock.correct.tools["papyrus"])
    stroke((40, 30), (40, 60))
    before = [viewer.layers[name].data.copy() for name in ("Ink labels", "Edge labels")]
    click(labelled_dock.predict.run_button)
    qtbot.waitUntil(lambda: labelled_dock.session.state.run is None, timeout=60000)
    after = [viewer.layers[name].data for name in ("Ink labels", "Edge labels")]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert [layer.name for layer in viewer.layers][-3:] == ["Ink labels", "Edge labels", "Marks"]
    assert viewer.layers["Ink labels"].data[40, 40] == 1


def test_edited_labels_are_replaced_only_on_request(labelled_dock, viewer, click, stroke, qtbot):
    click(labelled_dock.correct.tools["papyrus"])
    stroke((40, 30), (40, 60))
    qtbot.waitUntil(lambda: labelled_dock.session.state.labels_edited)
    edited = viewer.layers["Ink labels"].data.copy()

    texts = _answer("Keep my labels")
    click(labelled_dock.correct.editable_button)
    assert "edited" in texts[0]
    assert np.array_equal(viewer.layers["Ink labels"].data, edited)

    _answer("Replace")
    click(labelled_dock.correct.editable_button)
    qtbot.waitUntil(lambda: not labelled_dock.session.state.busy and 1 not in viewer.layers["Ink labels"].data)
    assert len([layer for layer in viewer.layers if layer.name == "Ink labels"]) == 1
    undo = labelled_dock.correct.actions_of["undo"]
    click(undo)
    assert np.array_equal(viewer.layers["Ink labels"].data, edited)


def test_painting_by_a_script_is_signalled_without_other_events(qtbot):
    values = {"ink": np.zeros((40, 50), np.uint8), "edge": np.zeros((40, 50), np.uint8)}
    editable = LabelLayers(Region(100, 140, 0, 50), values)
    with qtbot.waitSignal(editable.painted) as signal:
        editable.layers["ink"].brush_size = 1
        editable.layers["ink"].paint((20, 30), 2)  # napari emits its event before the data change
    (what, y, x, block), *others = signal.args[0]
    assert (what, y, x, block.tolist(), others) == ("ink", 120, 30, [[2]], [])
