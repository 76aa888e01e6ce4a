"""Teaching in a real window: strokes are painted by mouse, Learn makes a model, and the start model comes back."""

import pytest

from napari_ink.gui.preferences import key_of
from tests.gui.driving import settle
from tests.gui.lessons import INK, PAPYRUS, SIDE, save_lesson, truth


@pytest.fixture
def painted_dock(dock, tmp_path, label_in_dock, stroke, press, viewer):
    """The dock with strokes of ink and of papyrus, painted by mouse."""
    label_in_dock(save_lesson(tmp_path))
    for layer in viewer.layers:
        if layer.name == "Ink labels":
            layer.brush_size = 10
    for tool, places in (("ink", INK), ("papyrus", PAPYRUS)):
        press(key_of(tool))
        for y, x in places[:8]:
            stroke((y + SIDE // 2, x + 7), (y + SIDE // 2, x + (SIDE - 7 if tool == "ink" else 12)))
    settle()
    return dock


def test_strokes_teach_a_model_and_the_start_model_comes_back(painted_dock, click, wait, checkpoint):
    learn, predict = painted_dock.learn, painted_dock.predict
    learn.minutes_box.setValue(0)
    click(learn.learn_button)
    wait(lambda: not painted_dock.session.state.teaching.is_running and learn.models.list.count() == 1)
    assert "quick-1: in use" in learn.outcome.text()
    assert "in use" in learn.models.list.item(0).text()
    assert predict.model().name_or_path.endswith("quick-1.safetensors")
    click(learn.predict_button)
    wait(lambda: painted_dock.session.state.run is None and painted_dock.session.state.has_prediction)
    ink = painted_dock.session._layers.overlay.probabilities("ink")
    assert ink[truth()].mean() > ink[~truth()].mean() + 50
    click(learn.models.back_button)
    wait(lambda: predict.model().name_or_path == str(checkpoint))
    assert "in use" not in learn.models.list.item(0).text()


def test_live_answers_a_stroke_painted_by_mouse(painted_dock, click, wait, viewer, stroke):
    click(painted_dock.learn.live_button)
    wait(lambda: "Answered" in painted_dock.session.state.live.text)
    assert viewer.layers.selection.active.name == "Ink labels"
    before = painted_dock.session.live._head
    y, x = PAPYRUS[10]
    stroke((y + 4, x), (y + 4, x + 10))
    wait(lambda: painted_dock.session.live._head > before)
    wait(lambda: "Answered" in painted_dock.learn.live_text.text())
    seen = viewer.layers["live ink"].data
    assert seen[truth()].mean() > seen[~truth()].mean() + 100
    click(painted_dock.learn.live_button)
    assert "live ink" not in viewer.layers
