"""Edges to ink and ink to edges, in the part of the segment that is in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import EdgeValue, LabelValue, edges_from_ink, ink_from_edges
from napari_ink.gui.edit_window import WINDOW_PX

if TYPE_CHECKING:
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.tools.bench import Bench

Mask = npt.NDArray[np.bool_]


def ink_in_sight_from_edges(bench: Bench) -> None:
    """Make ink of what closed edge lines in sight enclose, where nobody has looked yet."""
    part = _part(bench)
    if part is None:
        return
    edges = bench.labels("edge", part)

    def done(inside: Mask) -> None:
        ink = bench.labels("ink", part)
        ink[inside & (ink == LabelValue.UNREVIEWED)] = LabelValue.INK
        if not inside.any():
            bench.say("No edge line in sight is closed; bridge the gaps first (Join).")
        bench.apply([("ink", part.y0, part.x0, ink)], "edges to ink")

    bench.work(lambda: ink_from_edges(edges), done)


def edges_in_sight_from_ink(bench: Bench) -> None:
    """Draw the outlines of the ink in sight as edges, where none was called no edge."""
    part = _part(bench)
    if part is None:
        return
    ink = bench.labels("ink", part)

    def done(outline: Mask) -> None:
        edges = bench.labels("edge", part)
        edges[outline & (edges != EdgeValue.NOT_EDGE)] = EdgeValue.EDGE
        if not outline.any():
            bench.say("There is no ink in sight to be outlined.")
        bench.apply([("edge", part.y0, part.x0, edges)], "ink to edges")

    bench.work(lambda: edges_from_ink(ink), done)


def _part(bench: Bench) -> EditWindow | None:
    part = bench.view()
    if part is None or max(part.shape) > WINDOW_PX:
        bench.say("Zoom in first: at most 4096 × 4096 pixels are done at once.")
        return None
    return part
