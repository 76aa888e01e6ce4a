"""What is done to all edges in sight at once: to ink and back, short lines removed, small gaps bridged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation import (
    EdgeValue,
    LabelValue,
    edges_from_ink,
    gaps,
    ink_from_edges,
    short_fragments,
    straight_path,
)
from napari_ink.gui.edit_window import WINDOW_PX

if TYPE_CHECKING:
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.tools.bench import Bench

Mask = npt.NDArray[np.bool_]
SHORTEST_PX = 12
WIDEST_GAP_PX = 8


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


def remove_specks_in_sight(bench: Bench) -> None:
    """Remove the edge lines in sight that are shorter than a stroke is wide; those that leave the view stay."""
    part = _part(bench)
    if part is None:
        return
    edges = bench.labels("edge", part)

    def short() -> Mask:
        lines, _ = ndimage.label(edges == EdgeValue.EDGE, np.ones((3, 3), bool))
        cut = np.unique(np.concatenate([lines[0], lines[-1], lines[:, 0], lines[:, -1]]))
        return short_fragments(edges, SHORTEST_PX) & ~np.isin(lines, cut[cut > 0])

    def done(specks: Mask) -> None:
        now = bench.labels("edge", part)
        now[specks & (now == EdgeValue.EDGE)] = EdgeValue.UNREVIEWED
        if not specks.any():
            bench.say(f"No edge line in sight is shorter than {SHORTEST_PX} pixels.")
        bench.apply([("edge", part.y0, part.x0, now)], "remove specks")

    bench.work(short, done)


def bridge_gaps_in_sight(bench: Bench) -> None:
    """Bridge the gaps between line ends in sight that face each other over a few pixels."""
    part = _part(bench)
    if part is None:
        return
    edges = bench.labels("edge", part)

    def done(found: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
        now = bench.labels("edge", part)
        for one, other in found:
            bridge = tuple(straight_path(one, other).T)
            now[bridge] = np.where(now[bridge] == EdgeValue.NOT_EDGE, EdgeValue.NOT_EDGE, EdgeValue.EDGE)
        if not found:
            bench.say(f"No two line ends in sight face each other over at most {WIDEST_GAP_PX} pixels.")
        bench.apply([("edge", part.y0, part.x0, now)], "bridge gaps")

    bench.work(lambda: gaps(edges, WIDEST_GAP_PX), done)


def _part(bench: Bench) -> EditWindow | None:
    part = bench.view()
    if part is None or max(part.shape) > WINDOW_PX:
        bench.say("Zoom in first: at most 4096 × 4096 pixels are done at once.")
        return None
    return part
