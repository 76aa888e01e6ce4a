"""A day's work by mouse and key: outline, snap, paint, undo, close the window, and reopen it in another."""

import numpy as np
from scipy import ndimage

from napari_ink.gui.dock import InkDock
from napari_ink.gui.preferences import key_of

SHAPE, CENTRE, RADIUS = (200, 260), (100, 120), 45


def _on_circle(degrees: float, radius: float) -> tuple[float, float]:
    angle = np.radians(degrees)
    return CENTRE[0] + radius * np.sin(angle), CENTRE[1] + radius * np.cos(angle)


def test_a_days_work_is_saved_and_restored(
    make_napari_viewer_proxy, tmp_path, qtbot, click, label_in_dock, stroke, press, canvas, dock, viewer
):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    disc = (rows - CENTRE[0]) ** 2 + (columns - CENTRE[1]) ** 2 <= RADIUS**2
    grey = ndimage.gaussian_filter(disc * 30000.0, 1) + 9000 + np.random.default_rng(0).normal(0, 300, (5, *SHAPE))
    np.save(tmp_path / "seg.npy", np.clip(grey, 0, 65535).astype(np.uint16))
    label_in_dock(tmp_path / "seg.npy")

    press(key_of("livewire"))
    for degrees in (0, 72, 144, 216, 288):
        stroke(_on_circle(degrees, RADIUS + 3))  # beside the edge, onto which the clicks snap
    press("Return")
    outlined = viewer.layers["Ink labels"].data.copy()
    overlap = ((outlined == 2) & disc).sum() / ((outlined == 2) | disc).sum()
    assert overlap > 0.95
    press(key_of("papyrus"))
    stroke((20, 20), (20, 120), (30, 200))
    press(key_of("ink"))
    stroke((180, 20), (180, 60))
    painted = viewer.layers["Ink labels"].data.copy()
    stroke((150, 220), (170, 240))
    press("Z", control=True)
    assert np.array_equal(viewer.layers["Ink labels"].data, painted)
    press(key_of("reviewed"))
    edges = viewer.layers["Edge labels"].data.copy()
    viewer.close()

    again = make_napari_viewer_proxy(show=True)
    reopened = InkDock(again)
    again.window.add_dock_widget(reopened, name="Ink", area="right")
    reopened.open_stack(tmp_path / "seg.ink")
    qtbot.waitUntil(lambda: reopened.session.state.labels and not reopened.session.state.busy, timeout=20000)
    assert not reopened.session.state.storage.held_by
    assert np.array_equal(again.layers["Ink labels"].data, painted)
    assert np.array_equal(again.layers["Edge labels"].data, edges)
    assert reopened.session.state.review.reviewed == 1
    assert [header.tool for header in reopened.session.labels.annotation.history()] == [
        "outline ink",
        "papyrus",
        "ink",
        "ink",
        "mark reviewed",
    ]
    for _ in range(3):
        click(reopened.correct.actions_of["undo"])
    # Steps of an earlier session are read from the disk on a thread.
    qtbot.waitUntil(lambda: np.array_equal(again.layers["Ink labels"].data, outlined))
    click(reopened.correct.actions_of["undo"])
    qtbot.waitUntil(lambda: not again.layers["Ink labels"].data.any())
    qtbot.waitUntil(lambda: not reopened.correct.actions_of["undo"].isEnabled())
    click(reopened.correct.actions_of["redo"])
    qtbot.waitUntil(lambda: np.array_equal(again.layers["Ink labels"].data, outlined))
