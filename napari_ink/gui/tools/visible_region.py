"""Actions on all edges in the visible region: convert to and from ink, remove short lines, bridge small gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
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
from napari_ink.gui.models.edit_window import WINDOW_PX
from napari_ink.typing import Mask

if TYPE_CHECKING:
    from napari_ink.gui.tools.context import ToolContext
    from napari_ink.region import Region

SHORTEST_PX = 12
WIDEST_GAP_PX = 8


def ink_from_visible_edges(context: ToolContext) -> None:
    """Fill closed edge lines in the visible region with ink, where pixels are unreviewed."""
    part = _part(context)
    if part is None:
        return
    edges = context.labels("edge", part)

    def done(inside: Mask) -> None:
        # Read again, here and below: the labels may have changed while the thread was computing.
        ink = context.labels("ink", part)
        ink[inside & (ink == LabelValue.UNREVIEWED)] = LabelValue.INK
        if not inside.any():
            context.notify("No edge line in view is closed; bridge the gaps first (Join).")
        context.apply([("ink", part.y0, part.x0, ink)], "edges to ink")

    context.run_in_background(lambda: ink_from_edges(edges), done)


def edges_from_visible_ink(context: ToolContext) -> None:
    """Draw the outlines of the visible ink as edges, except on pixels labelled as no edge."""
    part = _part(context)
    if part is None:
        return
    ink = context.labels("ink", part)

    def done(outline: Mask) -> None:
        edges = context.labels("edge", part)
        edges[outline & (edges != EdgeValue.NOT_EDGE)] = EdgeValue.EDGE
        if not outline.any():
            context.notify("There is no ink in view to outline.")
        context.apply([("edge", part.y0, part.x0, edges)], "ink to edges")

    context.run_in_background(lambda: edges_from_ink(ink), done)


def remove_visible_specks(context: ToolContext) -> None:
    """Remove short edge lines in the visible region, except lines that continue beyond it."""
    part = _part(context)
    if part is None:
        return
    edges = context.labels("edge", part)

    def short() -> Mask:
        # Only a part of a line that crosses the border is visible, so its length is unknown.
        lines, _ = ndimage.label(edges == EdgeValue.EDGE, np.ones((3, 3), bool))
        cut = np.unique(np.concatenate([lines[0], lines[-1], lines[:, 0], lines[:, -1]]))
        return short_fragments(edges, SHORTEST_PX) & ~np.isin(lines, cut[cut > 0])

    def done(specks: Mask) -> None:
        now = context.labels("edge", part)
        now[specks & (now == EdgeValue.EDGE)] = EdgeValue.UNREVIEWED
        if not specks.any():
            context.notify(f"No edge line in view is shorter than {SHORTEST_PX} pixels.")
        context.apply([("edge", part.y0, part.x0, now)], "remove specks")

    context.run_in_background(short, done)


def bridge_visible_gaps(context: ToolContext) -> None:
    """Bridge small gaps between visible line ends that face each other."""
    part = _part(context)
    if part is None:
        return
    edges = context.labels("edge", part)

    def done(found: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
        now = context.labels("edge", part)
        for one, other in found:
            bridge = tuple(straight_path(one, other).T)
            # A pixel labelled as no edge is a decision of the user, so a bridge leaves it alone.
            now[bridge] = np.where(now[bridge] == EdgeValue.NOT_EDGE, EdgeValue.NOT_EDGE, EdgeValue.EDGE)
        if not found:
            context.notify(f"No two line ends in view face each other over at most {WIDEST_GAP_PX} pixels.")
        context.apply([("edge", part.y0, part.x0, now)], "bridge gaps")

    context.run_in_background(lambda: gaps(edges, WIDEST_GAP_PX), done)


def _part(context: ToolContext) -> Region | None:
    part = context.visible_region()
    if part is None or max(part.shape) > WINDOW_PX:
        context.notify("Zoom in first: at most 4096 × 4096 pixels are done at once.")
        return None
    return part
