"""Actions on all edges in the visible region: convert to and from ink, remove short lines, bridge small gaps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

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
from napari_ink.typing import LabelKind, Mask, UInt8Array

if TYPE_CHECKING:
    from napari_ink.gui.tools.context import ToolContext

SHORTEST_PX = 12
WIDEST_GAP_PX = 8

Found = TypeVar("Found", Mask, list[tuple[tuple[int, int], tuple[int, int]]])


def ink_from_visible_edges(context: ToolContext) -> None:
    """Fill closed edge lines in the visible region with ink, where pixels are unreviewed."""

    def fill(ink: UInt8Array, inside: Mask) -> None:
        ink[inside & (ink == LabelValue.UNREVIEWED)] = LabelValue.INK

    nothing = "No edge line in the visible region is closed; bridge the gaps first (Join)."
    _change(context, "edge", "ink", ink_from_edges, fill, "edges to ink", nothing)


def edges_from_visible_ink(context: ToolContext) -> None:
    """Draw the outlines of the visible ink as edges, except on pixels labelled as no edge."""

    def draw(edges: UInt8Array, outline: Mask) -> None:
        edges[outline & (edges != EdgeValue.NOT_EDGE)] = EdgeValue.EDGE

    nothing = "There is no ink to outline in the visible region."
    _change(context, "ink", "edge", edges_from_ink, draw, "ink to edges", nothing)


def remove_visible_specks(context: ToolContext) -> None:
    """Remove short edge lines in the visible region, except lines that continue beyond it."""

    def short(edges: UInt8Array) -> Mask:
        # Only a part of a line that crosses the border is visible, so its length is unknown.
        lines, _ = ndimage.label(edges == EdgeValue.EDGE, np.ones((3, 3), bool))
        cut = np.unique(np.concatenate([lines[0], lines[-1], lines[:, 0], lines[:, -1]]))
        return short_fragments(edges, SHORTEST_PX) & ~np.isin(lines, cut[cut > 0])

    def remove(edges: UInt8Array, specks: Mask) -> None:
        edges[specks & (edges == EdgeValue.EDGE)] = EdgeValue.UNREVIEWED

    nothing = f"No edge line in the visible region is shorter than {SHORTEST_PX} pixels."
    _change(context, "edge", "edge", short, remove, "remove specks", nothing)


def bridge_visible_gaps(context: ToolContext) -> None:
    """Bridge small gaps between visible line ends that face each other."""

    def bridge(edges: UInt8Array, found: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
        for one, other in found:
            path = tuple(straight_path(one, other).T)
            # A pixel labelled as no edge is a decision of the user, so a bridge leaves it alone.
            edges[path] = np.where(edges[path] == EdgeValue.NOT_EDGE, EdgeValue.NOT_EDGE, EdgeValue.EDGE)

    nothing = f"No two line ends in the visible region face each other over at most {WIDEST_GAP_PX} pixels."
    _change(context, "edge", "edge", partial(gaps, longest_px=WIDEST_GAP_PX), bridge, "bridge gaps", nothing)


def _change(
    context: ToolContext,
    read: LabelKind,
    written: LabelKind,
    find: Callable[[UInt8Array], Found],
    change: Callable[[UInt8Array, Found], None],
    tool: str,
    nothing: str,
) -> None:
    """Change the visible labels in place where `find`, on a thread, finds something; if it does not, say `nothing`."""
    part = context.visible_region()
    if part is None or max(part.shape) > WINDOW_PX:
        context.notify(f"Zoom in first: at most {WINDOW_PX} × {WINDOW_PX} pixels can be changed at once.")
        return
    before = context.labels(read, part)

    def done(found: Found) -> None:
        # Read again: the labels may have changed while the thread was computing.
        now = context.labels(written, part)
        change(now, found)
        if not np.any(found):
            context.notify(nothing)
        context.apply([(written, part.y0, part.x0, now)], tool)

    context.run_in_background(lambda: find(before), done)
