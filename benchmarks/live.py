"""Measure how long the live mode takes from the end of a stroke to the whole new picture, in a real window.

    xvfb-run -s "-screen 0 1920x1080x24" python benchmarks/live.py [--world tubes] [--size 1024] [--strokes 20]

A phantom is opened and its labels made editable. The strokes are those of a simulated annotator at random places. After
each one the clock runs until the answer is there and drawn; a 5 ms timer records how long the window stalls meanwhile.
Seconds are of the wall clock, so nothing else should run.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtTest import QTest
from teach import Annotator, Case
from window import Heartbeat, wait_until

from napari_ink.gui.app import viewer_with_dock
from napari_ink.phantom import WORLDS, make_world_phantom
from napari_ink.stack import open_stack


def painted(annotator: Annotator, count: int) -> list[tuple[str, int, int, np.ndarray]]:
    """Paint strokes, and return the edit that they are; none if they lie on labels of the same kind."""
    before = annotator.labels.copy()
    annotator.paint(count)
    rows, columns = np.nonzero(before != annotator.labels)
    if not len(rows):
        return []
    y, x = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return [("ink", int(y.start), int(x.start), annotator.labels[y, x].copy())]


def answer(session: Any, edit: Any) -> float:
    """Paint a stroke, wait for the whole answer to it, and return the seconds since the stroke ended."""
    live, before = session.live, session.live._head
    began = time.perf_counter()
    session.labels.apply([edit], "brush")
    # The text of an earlier answer stays until the next one is there, so the number of the head tells them apart.
    wait_until(lambda: live._head > before and bool(live._took))
    return time.perf_counter() - began


def main() -> None:
    """Paint the strokes, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=tuple(WORLDS), default="tubes")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--strokes", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        phantom = make_world_phantom(args.world, 5000, args.size, args.size)
        path = Path(home) / "stack.npy"
        np.save(path, phantom.volume)
        annotator = Annotator(Case(args.world, path, open_stack(path), phantom.ink, phantom.mask), 1)
        viewer, dock = viewer_with_dock()
        session, heart = dock.session, Heartbeat()
        viewer.window.resize(1920, 1040)
        dock.open_stack(path)
        wait_until(lambda: session.state.stack is not None and not session.state.busy)
        dock.correct.editable_button.click()
        wait_until(lambda: session.state.labels)
        # Before the clock runs, since the simulation works on the thread of the window.
        edits = [edit for count in (2, *[1] * (args.strokes - 2)) for edit in painted(annotator, count)]
        session.labels.apply(edits[:1], "brush")
        QTest.qWait(5000)  # whatever is loaded ahead
        began = time.perf_counter()
        with heart.during("first answer"):
            session.live.switch(True)
            wait_until(lambda: "Answered" in session.state.live.text)
        first, later = time.perf_counter() - began, []
        with heart.during("further strokes"):
            for edit in edits[1:]:
                later.append(answer(session, edit))
        canvas = viewer.window._qt_viewer.canvas.native
        with heart.during("redraw, with nothing else running (the floor)"):
            for _ in range(30):
                canvas.update()
                QTest.qWait(60)
        viewer.close()
    print(f"{args.size}² of {args.world}, {args.strokes} strokes, {platform.machine()}, CPU, wall clock, s\n")
    print("| answer | median | 90th percentile | longest |\n| --- | --- | --- | --- |")
    print(f"| first | {first:.1f} | | |")
    print(f"| to each further stroke | {np.median(later):.2f} | {np.percentile(later, 90):.2f} | {max(later):.2f} |\n")
    print("| while | longest stall, ms | 95th percentile | over 50 ms |\n| --- | --- | --- | --- |")
    for phase, gaps in heart.gaps.items():
        late = sum(gap > 50 for gap in gaps)
        print(f"| {phase} | {max(gaps):.0f} | {np.percentile(gaps, 95):.0f} | {late} of {len(gaps)} |")


if __name__ == "__main__":
    main()
