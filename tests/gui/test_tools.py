"""The edge tools, in a real window, by mouse and key, on a bright disc whose edge everybody can see."""

import numpy as np
import pytest
from scipy import ndimage

from napari_ink.gui.models.actions import ACTIONS, TOOL_ACTIONS
from napari_ink.gui.preferences import key_of, shown_key
from napari_ink.gui.views.cheat_sheet import CheatSheet

HEIGHT, WIDTH, CENTRE, RADIUS = 160, 220, (80, 100), 40


@pytest.fixture
def disc() -> np.ndarray:
    """Where the disc is."""
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return (rows - CENTRE[0]) ** 2 + (columns - CENTRE[1]) ** 2 <= RADIUS**2


@pytest.fixture
def disc_dock(dock, disc, tmp_path, click, qtbot):
    """The dock with empty labels on a stack that shows the disc."""
    noise = np.random.default_rng(0).normal(0, 300, (5, HEIGHT, WIDTH))
    np.save(
        tmp_path / "disc.npy",
        np.clip(ndimage.gaussian_filter(disc * 30000.0, 1) + 9000 + noise, 0, 65535).astype(np.uint16),
    )
    dock.open_stack(tmp_path / "disc.npy")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    click(dock.correct.editable_button)
    qtbot.waitUntil(lambda: dock.session.state.labels)
    return dock


def _on_circle(degrees: float, radius: float = RADIUS) -> tuple[float, float]:
    angle = np.radians(degrees)
    return CENTRE[0] + radius * np.sin(angle), CENTRE[1] + radius * np.cos(angle)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def _ink(viewer) -> np.ndarray:
    return viewer.layers["Ink labels"].data


def _edge(viewer) -> np.ndarray:
    return viewer.layers["Edge labels"].data


@pytest.mark.parametrize("finish", ["Return", "double click"])
def test_livewire_from_four_clicks_follows_the_disc(disc_dock, viewer, stroke, press, disc, finish):
    press(key_of("livewire"))
    assert disc_dock.session.state.tool == "livewire"
    assert disc_dock.correct.tools["livewire"].isChecked()
    assert "Click along an edge" in disc_dock.correct.tool_hint.text()
    for degrees in (0, 90, 180):
        stroke(_on_circle(degrees))
    assert len(viewer.layers["Outline"].data) > 10
    assert _ink(viewer).max() == 0
    zoom = viewer.scene.camera.zoom
    stroke(_on_circle(270), double=finish == "double click")
    if finish == "Return":
        press("Return")
    assert viewer.scene.camera.zoom == zoom
    assert _overlap(_ink(viewer) == 2, disc) > 0.93
    polygon_of_the_same_clicks = 2 / np.pi
    assert _overlap(_ink(viewer) == 2, disc) > polygon_of_the_same_clicks + 0.2
    outline = np.argwhere(_edge(viewer) == 1)
    assert abs(np.hypot(*(outline - CENTRE).T) - RADIUS).mean() < 1.5
    assert not viewer.layers["Outline"].data.any()
    press("Z", control=True)
    assert _ink(viewer).max() == 0
    assert _edge(viewer).max() == 0


def test_livewire_takes_anchors_back_and_goes_straight(disc_dock, viewer, stroke, press):
    press(key_of("livewire"))
    stroke(_on_circle(0))
    stroke(_on_circle(180), held="Control")
    drawn = _preview_points(viewer)
    across = drawn[np.abs(drawn[:, 1] - CENTRE[1]) < 30]
    assert np.abs(across[:, 0] - CENTRE[0]).max(initial=0) < 6  # through the middle, not around
    stroke((20, 20), button="Right")
    stroke((20, 20), button="Right")
    assert disc_dock.session.state.tool == "livewire"
    stroke(_on_circle(0))
    press("Escape")
    assert not viewer.layers["Outline"].data.any()
    press("Return")
    assert _ink(viewer).max() == 0  # two anchors and fewer enclose nothing


def test_an_anchor_snaps_to_the_edge_and_can_be_moved(disc_dock, viewer, stroke, press, disc):
    press(key_of("livewire"))
    stroke(_on_circle(0, RADIUS + 3))
    wire = disc_dock.session.labelling.tools["livewire"]._wire
    assert abs(np.hypot(wire.anchors[0][0] - CENTRE[0], wire.anchors[0][1] - CENTRE[1]) - RADIUS) <= 2
    stroke((140, 200))
    stroke(_on_circle(120))
    stroke(_on_circle(240))
    stroke(tuple(wire.anchors[1]))
    stroke(_on_circle(60, RADIUS + 3))
    assert abs(np.hypot(wire.anchors[1][0] - CENTRE[0], wire.anchors[1][1] - CENTRE[1]) - RADIUS) <= 2
    press("Return")
    assert _overlap(_ink(viewer) == 2, disc) > 0.93


def test_dragging_moves_the_picture_and_sets_no_anchor(disc_dock, viewer, stroke, press):
    press(key_of("livewire"))
    centre = viewer.scene.camera.center
    stroke((80, 80), (80, 120), (80, 140))
    assert viewer.scene.camera.center != centre
    tool = disc_dock.session.labelling.tools["livewire"]
    assert tool._wire is None or tool._wire.anchors == []


def test_the_edge_brush_stops_at_a_drawn_edge(disc_dock, viewer, stroke, press, click):
    click(disc_dock.correct.tools["edge"])
    viewer.layers["Edge labels"].brush_size = 1
    stroke((5, 110), (155, 110))
    press(key_of("edge_brush"))
    assert viewer.layers.selection.active == viewer.layers["Ink labels"]
    viewer.layers["Ink labels"].brush_size = 30
    centre = viewer.scene.camera.center
    stroke((60, 102), (70, 102), (90, 102))
    assert viewer.scene.camera.center == centre
    painted = np.argwhere(_ink(viewer) == 2)
    assert painted[:, 1].max() < 110
    assert painted[:, 1].max() >= 108
    assert painted[:, 1].min() <= 90
    stroke((60, 130), held="Shift")
    assert _ink(viewer)[60, 130] == 1
    press("Z", control=True)
    press("Z", control=True)
    assert _ink(viewer).max() == 0


def test_a_closed_outline_is_filled_and_an_open_one_is_not(disc_dock, viewer, stroke, press, click, messages):
    click(disc_dock.correct.tools["edge"])
    viewer.layers["Edge labels"].brush_size = 2
    stroke((20, 20), (20, 60), (60, 60), (60, 20))
    press(key_of("fill_ink"))
    stroke((40, 40))
    assert _ink(viewer).max() == 0
    assert "not closed" in messages[-1]
    click(disc_dock.correct.tools["edge"])
    stroke((60, 20), (20, 20))
    click(disc_dock.correct.tools["fill"])
    stroke((40, 40))
    assert (_ink(viewer)[24:57, 24:57] == 2).all()
    assert _ink(viewer)[:15].max() == 0
    assert _ink(viewer)[:, 70:].max() == 0


def test_an_edge_line_is_removed_by_a_click(disc_dock, viewer, stroke, press, click, messages):
    click(disc_dock.correct.tools["edge"])
    stroke((20, 20), (20, 60))
    stroke((50, 20), (50, 60))
    press(key_of("erase_fragment"))
    stroke((100, 150))
    assert "no edge line" in messages[-1]
    stroke((22, 40))
    assert not (_edge(viewer)[:40] == 1).any()
    assert (_edge(viewer)[45:55] == 1).any()


def test_a_gap_is_bridged_from_end_to_end(disc_dock, viewer, stroke, press, click):
    click(disc_dock.correct.tools["edge"])
    viewer.layers["Edge labels"].brush_size = 1
    stroke((20, 20), (20, 60))
    stroke((20, 80), (20, 120))
    assert ndimage.label(_edge(viewer) == 1, np.ones((3, 3)))[1] == 2
    press(key_of("join"))
    stroke((22, 58), (22, 70), (18, 82))
    assert ndimage.label(_edge(viewer) == 1, np.ones((3, 3)))[1] == 1


def test_a_stroke_grows_to_the_edges(disc_dock, viewer, stroke, press, disc, qtbot):
    press(key_of("grow"))
    stroke((80, 85), (80, 100), (85, 115))
    qtbot.waitUntil(lambda: (_ink(viewer) == 2).any(), timeout=20000)
    assert _overlap(_ink(viewer) == 2, disc) > 0.85


def test_closed_edges_become_ink_and_ink_becomes_edges(disc_dock, viewer, stroke, click, qtbot):
    click(disc_dock.correct.tools["edge"])
    viewer.layers["Edge labels"].brush_size = 1
    stroke((20, 20), (20, 60), (60, 60), (60, 20), (20, 20))
    click(disc_dock.correct.actions_of["ink_from_edges"])
    qtbot.waitUntil(lambda: (_ink(viewer) == 2).any(), timeout=20000)
    assert (_ink(viewer)[20:61, 20:61] == 2).all()
    assert (_ink(viewer) == 2).sum() == 41 * 41
    edges = _edge(viewer).copy()
    press_undo = disc_dock.correct.actions_of["undo"]
    click(disc_dock.correct.tools["erase edge"])
    viewer.layers["Edge labels"].brush_size = 30
    stroke((20, 20), (20, 60), (60, 60), (60, 20), (20, 20))
    assert _edge(viewer).max() == 0
    click(disc_dock.correct.actions_of["edges_from_ink"])
    qtbot.waitUntil(lambda: (_edge(viewer) == 1).any(), timeout=20000)
    assert np.array_equal(_edge(viewer), edges)
    click(press_undo)
    assert _edge(viewer).max() == 0


def test_specks_go_and_gaps_close_in_all_that_is_in_sight(disc_dock, viewer, press, qtbot):
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    lines[20, 20:60] = lines[20, 66:120] = 1  # a gap of six pixels
    lines[50, 30:36] = 1  # a speck
    lines[60, 30:100], lines[60, 60:64] = 1, 2  # a gap that a person called no edge
    disc_dock.session.labels.apply([("edge", 0, 0, lines)], "edge")
    press("H", shift=True)
    qtbot.waitUntil(lambda: _edge(viewer)[50].max() == 0)
    assert np.array_equal(_edge(viewer)[[20, 60]], lines[[20, 60]])
    press("J", shift=True)
    qtbot.waitUntil(lambda: (_edge(viewer)[20, 20:120] == 1).all())
    assert np.array_equal(_edge(viewer)[60], lines[60])
    press("Z", control=True)
    press("Z", control=True)
    assert np.array_equal(_edge(viewer), lines)


def test_nothing_to_tidy_is_said(disc_dock, press, messages, qtbot):
    press("H", shift=True)
    press("J", shift=True)
    qtbot.waitUntil(lambda: len(messages) == 2)
    assert "No edge line" in messages[0] + messages[1]
    assert "No two line ends" in messages[0] + messages[1]


def test_each_tool_has_a_key_a_button_and_a_hint_and_gives_way_to_a_brush(disc_dock, viewer, press, click):
    for action in ("livewire", "edge_brush", "fill_ink", "grow", "erase_fragment", "join"):
        tool = TOOL_ACTIONS[action]
        press(key_of(action))
        assert disc_dock.session.state.tool == tool
        assert disc_dock.correct.tools[tool].isChecked()
        assert disc_dock.correct.tool_hint.isVisible()
        assert shown_key(action) in disc_dock.correct.tools[tool].text()
        click(disc_dock.correct.tools["ink"])
        assert disc_dock.session.state.tool == "ink"
        assert not disc_dock.correct.tools[tool].isChecked()
        assert viewer.layers.selection.active.mode == "paint"
        assert not viewer.scene.camera.mouse_pan
        viewer.layers.selection.active.mode = "pan_zoom"
        assert viewer.scene.camera.mouse_pan


def test_one_sheet_shows_every_key(disc_dock, click):
    click(disc_dock.correct.actions_of["help"])
    text = disc_dock.findChild(CheatSheet).text.text()
    for action in ACTIONS:
        assert action.title in text
        assert f"<b>{shown_key(action.name)}</b>" in text


def _preview_points(viewer) -> np.ndarray:
    data = viewer.layers["Outline"].data
    return np.concatenate([data[:, 0], data[:, 0] + data[:, 1]])
