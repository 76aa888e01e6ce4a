"""Measure how long the window stalls while a person works, by the delays of a 5 ms timer in it.

    xvfb-run -s "-screen 0 1920x1080x24" python benchmarks/window.py [--size 1024] [--window 1920 1040]

A phantom of that size is opened in a real window and predicted, its threshold changed, and its labels made editable.
Without a graphics card the processor paints each pixel of the window: a smaller one shows the time of everything else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest

from napari_ink.gui.app import viewer_with_dock
from napari_ink.phantom import PhantomConfig, make_phantom


class Heartbeat:
    """Records the intervals between ticks of a 5 ms timer, grouped by activity."""

    def __init__(self) -> None:
        self.gaps: dict[str, list[float]] = {}
        self._phase, self._last = "", time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        if self._phase:
            self.gaps.setdefault(self._phase, []).append(1000 * (now - self._last))
        self._last = now

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Record the intervals inside the block under a name."""
        self._phase = phase
        yield
        QTest.qWait(500)
        self._phase = ""


def wait_until(is_so: Callable[[], bool]) -> None:
    """Process events until a condition is true."""
    while not is_so():
        QTest.qWait(10)


def pan(viewer: Any, size: int, is_over: Callable[[], bool]) -> None:
    """Move the view in circles."""
    turn = 0
    while not is_over():
        turn += 1
        viewer.scene.camera.center = (0, size / 2 + 40 * np.sin(turn / 5), size / 2 + 40 * np.cos(turn / 5))
        QTest.qWait(30)


def main() -> None:
    """Simulate a person's work and print the longest stalls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--window", type=int, nargs=2, default=[1920, 1040], metavar=("WIDTH", "HEIGHT"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        stack = Path(home) / "stack.npy"
        np.save(stack, make_phantom(PhantomConfig(seed=3000, height=args.size, width=args.size)).volume)
        viewer, dock = viewer_with_dock()
        session, heart = dock.session, Heartbeat()
        viewer.window.resize(*args.window)
        QTest.qWait(2000)
        with heart.during("open"):
            dock.open_stack(stack)
            wait_until(lambda: session.state.stack is not None and not session.state.busy)
        QTest.qWait(5000)  # the model is loaded ahead of the first Run
        shown: list[float] = []

        def on_changed(state: object) -> None:
            if not shown and session.state.run is not None and session.state.run.done:
                shown.append(time.perf_counter() - began)

        session.changed.connect(on_changed)
        canvas = viewer.window._qt_viewer.canvas.native
        with heart.during("redraw, with nothing else running (the floor)"):
            for _ in range(30):
                canvas.update()
                QTest.qWait(60)
        began = time.perf_counter()
        with heart.during("press Run: napari adds two layers"):
            dock.predict.run_button.click()
            wait_until(lambda: session.state.run is not None and session.state.run.total > 0)
        with heart.during("predict"):
            wait_until(lambda: session.state.run is None)
        with heart.during("redraw, with the prediction over it (the floor)"):
            for _ in range(30):
                canvas.update()
                QTest.qWait(60)
        with heart.during("press Run again: no layer is added"):
            dock.predict.run_button.click()
            wait_until(lambda: session.state.run is not None and session.state.run.total > 0)
        with heart.during("predict, and pan"):
            pan(viewer, args.size, lambda: session.state.run is None)
        with heart.during("pan, with nothing else running"):
            until = time.perf_counter() + 4
            pan(viewer, args.size, lambda: time.perf_counter() > until)
        dock.predict.area_box.setCurrentText("Region of interest")
        QTest.qWait(500)
        corners = [(0.1, 0.1), (0.1, 0.9), (0.9, 0.5)]
        viewer.layers["Region of interest"].add_polygons(np.array(corners) * args.size)
        QTest.qWait(500)
        with heart.during("press Run with a region of interest"):
            dock.predict.run_button.click()
            wait_until(lambda: session.state.run is not None and session.state.run.total > 0)
        wait_until(lambda: session.state.run is None)
        with heart.during("move a threshold"):
            for value in range(30, 90, 3):
                dock.predict.ink_threshold.slider.setValue(value)
                QTest.qWait(60)
        with heart.during("make editable"):
            dock.correct.editable_button.click()
            wait_until(lambda: session.state.labels)
        viewer.close()
    print(f"{args.size} × {args.size} × 65; from Run to the first tile {shown[0]:.2f} s\n")
    print("| while | longest stall, ms | 95th percentile | over 50 ms |\n| --- | --- | --- | --- |")
    for phase, gaps in heart.gaps.items():
        late = sum(gap > 50 for gap in gaps)
        print(f"| {phase} | {max(gaps):.0f} | {np.percentile(gaps, 95):.0f} | {late} of {len(gaps)} |")


if __name__ == "__main__":
    main()
