"""Measure the time that annotation takes on the GUI thread, compared with napari's Labels layer, at several sizes.

    xvfb-run -s "-screen 0 1920x1080x24" python benchmarks/annotate.py [--sizes 2048 8192 29952]

Mouse events are sent to a real canvas. The time of a step is that of handling its event, during which the next one has
to wait. Redraws are additional, equally for both; without a graphics card they are slow. Segments are blank, have a
single layer, and are square up to 11008 pixels.
"""

from __future__ import annotations

import argparse
import gc
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_ink.annotation import Annotation
from napari_ink.gui.app import viewer_with_dock
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.region import Region

WIDEST, MATCH_UP_TO, BRUSH_PX, RING_PX = 11008, 8192, 15, 200
NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
Rows = dict[str, list[float]]


class Mouse:
    """A simulated mouse over a viewer's canvas that records how long each event was handled."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        window = viewer.window._qt_window
        self._canvas = next(w for w in window.findChildren(object) if w.inherits("QOpenGLWidget") and w.isVisible())

    def stroke(self, places: list[tuple[float, float]]) -> tuple[list[float], float]:
        """Drag through positions of the segment; return the milliseconds of each move and of the release."""
        self._send(QEvent.Type.MouseMove, places[0], NONE, NONE)
        self._send(QEvent.Type.MouseButtonPress, places[0], LEFT, LEFT)
        moves = [self._send(QEvent.Type.MouseMove, place, NONE, LEFT) for place in places[1:]]
        return moves, self._send(QEvent.Type.MouseButtonRelease, places[-1], LEFT, NONE)

    def click(self, place: tuple[float, float]) -> float:
        """Click on a position; return the milliseconds of the press and the release."""
        down = self._send(QEvent.Type.MouseButtonPress, place, LEFT, LEFT)
        return down + self._send(QEvent.Type.MouseButtonRelease, place, LEFT, NONE)

    def hover(self, place: tuple[float, float]) -> float:
        """Move to a position without a button pressed."""
        return self._send(QEvent.Type.MouseMove, place, NONE, NONE)

    def _send(self, kind: QEvent.Type, place: tuple[float, float], button: Any, buttons: Any) -> float:
        camera = camera_of(self._viewer)
        (cy, cx), zoom = camera.center[-2:], camera.zoom
        point = QPointF(
            self._canvas.width() / 2 + (place[1] - cx) * zoom, self._canvas.height() / 2 + (place[0] - cy) * zoom
        )
        where = QPointF(self._canvas.mapToGlobal(point))
        event = QMouseEvent(kind, point, where, button, buttons, Qt.KeyboardModifier.NoModifier)
        began = time.perf_counter()
        QApplication.sendEvent(self._canvas, event)
        took = 1000 * (time.perf_counter() - began)
        QApplication.processEvents()
        return took


@contextmanager
def longest_stall() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the longest stall of the window in the block so far, in milliseconds."""
    gaps, last = [0.0], [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append(1000 * (now - last[0]))
        last[0] = now

    timer = QTimer()
    timer.setInterval(2)
    timer.timeout.connect(beat)
    timer.start()
    yield lambda: max(gaps)
    timer.stop()


def look_at(viewer: Any, shape: tuple[int, int]) -> None:
    """Show the middle of a segment at one pixel per screen pixel."""
    camera = camera_of(viewer)
    camera.center, camera.zoom = (*camera.center[:-2], shape[0] / 2, shape[1] / 2), 1.0
    QTest.qWait(1500)


def circle(shape: tuple[int, int], number: int) -> list[tuple[float, float]]:
    """Return the positions of a circle in the middle of a segment."""
    angles = np.linspace(0, 2 * np.pi, number)
    y, x = shape[0] / 2 + RING_PX * np.sin(angles), shape[1] / 2 + RING_PX * np.cos(angles)
    return list(zip(y.tolist(), x.tolist(), strict=True))


def timed(do: Callable[[], object]) -> float:
    """Return the milliseconds of a call."""
    began = time.perf_counter()
    do()
    took = 1000 * (time.perf_counter() - began)
    QTest.qWait(300)
    return took


def wait_until(is_so: Callable[[], bool]) -> None:
    """Process events until a condition is true."""
    while not is_so():
        QTest.qWait(10)


def plain(shape: tuple[int, int], rounds: int) -> Rows:
    """Measure napari's own Labels layer."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 1000)
    layer = viewer.add_labels(np.zeros(shape, np.uint8), name="plain")
    layer.brush_size, layer.selected_label, layer.mode = BRUSH_PX, 2, "paint"
    look_at(viewer, shape)
    mouse, rows = Mouse(viewer), {name: [] for name in ("stroke", "end of stroke", "undo", "fill")}
    for _ in range(rounds):
        moves, end = mouse.stroke(circle(shape, 120))
        rows["stroke"].extend(moves)
        rows["end of stroke"].append(end)
        layer.mode = "fill"
        rows["fill"].append(mouse.click((shape[0] / 2, shape[1] / 2)))
        layer.mode = "paint"
        rows["undo"].append(timed(layer.undo))
        rows["undo"].append(timed(layer.undo))
    viewer.close()
    return rows


def ours(shape: tuple[int, int], rounds: int, home: Path) -> tuple[Rows, str]:
    """Measure napari-ink's labels and tools."""
    stack = home / f"{shape[0]}.npy"
    np.lib.format.open_memmap(stack, "w+", np.uint8, (1, *shape)).flush()  # sparse: takes no space on most disks
    viewer, dock = viewer_with_dock()
    viewer.window.resize(1920, 1000)
    session = dock.session
    dock.open_stack(stack)
    wait_until(lambda: session.state.stack is not None and not session.state.busy)
    look_at(viewer, shape)
    session.labelling.make_editable()
    wait_until(lambda: session.state.labels and not session.state.busy)
    QTest.qWait(4000)  # wait for the model, which is loaded before the first Run
    names = ("stroke", "end of stroke", "undo", "fill", "livewire step", "livewire anchor")
    mouse, rows = Mouse(viewer), {name: [] for name in names}
    for _ in range(rounds):
        session.labelling.activate_tool("ink")
        session._layers.editable.layers["ink"].brush_size = BRUSH_PX
        moves, end = mouse.stroke(circle(shape, 120))
        rows["stroke"].extend(moves)
        rows["end of stroke"].append(end)
        session.labelling.activate_tool("fill")
        rows["fill"].append(mouse.click((shape[0] / 2, shape[1] / 2)))
        rows["undo"].append(timed(session.labelling.undo))
        rows["undo"].append(timed(session.labelling.undo))
        session.labelling.activate_tool("livewire")
        around = circle(shape, 120)
        for place, (y, x) in enumerate(around):
            rows["livewire step"].append(mouse.hover((y, x)))
            if place % 20 == 0:
                rows["livewire anchor"].append(mouse.click((y, x)))
        session.labelling.tools["livewire"].drop()
    search = match(session, shape) if max(shape) <= MATCH_UP_TO else "not run"
    viewer.close()
    return rows, search


def match(session: Any, shape: tuple[int, int]) -> str:
    """Search for similar strokes; return the time taken and the longest stall of the window meanwhile."""
    y, x = shape[0] // 2, shape[1] // 2
    block = (np.random.default_rng(0).random((64, 64)) < 0.5).astype(np.uint8) * 2
    session.labels.apply([("ink", y, x, block)], "ink")
    QTest.qWait(1000)
    session._layers.begin_overlay(shape, {"ink": 0.5, "edge": 0.5})
    session._layers.overlay.put(slice(y, y + 64), slice(x, x + 64), block * 100, block)
    QTest.qWait(1000)
    with longest_stall() as longest:
        began = time.perf_counter()
        session.similar.search(Region(y, y + 64, x, x + 64))
        wait_until(lambda: not session.jobs.is_running("search"))
        return f"{time.perf_counter() - began:.1f} s, longest stall {longest():.0f} ms"


def store_cost(count: int = 2000) -> list[float]:
    """Return the microseconds of each of many strokes until the store has them; its threads write them meanwhile."""
    took, rng = [], np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as home, closing(Annotation(Path(home), (8192, 8192), "nobody")) as annotation:
        for number in range(count):
            y, x = (int(at) for at in rng.integers(0, 8192 - RING_PX, 2))
            values = np.full((BRUSH_PX, RING_PX), 1 + number % 2, np.uint8)
            began = time.perf_counter()
            annotation.apply([("ink", y, x, values)], "ink")
            took.append(1e6 * (time.perf_counter() - began))
            time.sleep(0.002)  # people pause between strokes, while chunks are written on a thread
    return took


def main() -> None:
    """Run the measurements and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[2048, 8192, 29952])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    p50, p99 = np.percentile(store_cost(), [50, 99])
    print(f"A stroke in the store, microseconds: median {p50:.0f}, 99th percentile {p99:.0f}\n")
    print(f"Milliseconds: median, 95th percentile, longest; {platform.machine()}, napari {napari.__version__}\n")
    print("| segment | step | napari-ink | plain Labels |\n| --- | --- | --- | --- |")
    for size in args.sizes:
        shape = (size, min(size, WIDEST))
        with tempfile.TemporaryDirectory() as home:
            mine, search = ours(shape, args.rounds, Path(home))
        gc.collect()
        theirs = plain(shape, args.rounds)
        gc.collect()
        for step, values in mine.items():
            print(f"| {size} × {shape[1]} | {step} | {_brief(values)} | {_brief(theirs.get(step, []))} |", flush=True)
        print(f"| {size} × {shape[1]} | match | {search} | |", flush=True)


def _brief(values: list[float]) -> str:
    if not values:
        return ""
    return f"{np.median(values):.1f}, {np.percentile(values, 95):.1f}, {max(values):.1f}"


if __name__ == "__main__":
    main()
