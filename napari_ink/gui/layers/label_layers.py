"""Editable labels: an ink layer and an edge layer over the edit window, and the strokes that users paint on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.models.edit_window import changed_bounds
from napari_ink.gui.models.palette import LABEL_OPACITY
from napari_ink.gui.preferences import colour
from napari_ink.region import Region
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


Block = tuple["LabelKind", int, int, UInt8Array]
_SETTLE_MS = 250
_NAMES: dict[LabelKind, str] = {"ink": "Ink labels", "edge": "Edge labels"}
_MEANINGS: dict[LabelKind, str] = {
    "ink": "0 (unreviewed), 1 (papyrus) and 2 (ink)",
    "edge": "0 (unreviewed), 1 (edge) and 2 (no edge)",
}
_VALUES = tuple(int(value) for value in LabelValue)
_BRUSH: dict[LabelKind, int] = {"ink": 15, "edge": 3}
# Names of the colours in Preferences.
_COLOURS: dict[tuple[LabelKind, int], str] = {
    ("ink", LabelValue.PAPYRUS): "labelled_papyrus",
    ("ink", LabelValue.INK): "labelled_ink",
    ("edge", EdgeValue.EDGE): "labelled_edges",
    ("edge", EdgeValue.NOT_EDGE): "labelled_no_edges",
}
_BRUSHES: dict[Tool, tuple[LabelKind, int]] = {
    Tool.INK: ("ink", LabelValue.INK),
    Tool.PAPYRUS: ("ink", LabelValue.PAPYRUS),
    Tool.ERASE_INK: ("ink", LabelValue.UNREVIEWED),
    Tool.EDGE: ("edge", EdgeValue.EDGE),
    Tool.NOT_EDGE: ("edge", EdgeValue.NOT_EDGE),
    Tool.ERASE_EDGE: ("edge", EdgeValue.UNREVIEWED),
}


class LabelLayers(QObject):
    """Two labels layers that napari's brush, eraser, fill and polygon work on.

    Signal `painted` is emitted once a stroke is finished, with the changed blocks and the name of the tool. The layers
    hold the values of the edit window only; the annotation store holds those of the whole segment.

    Only label values reach `painted`. napari accepts any number (key M, the spin box for the label, scripts), so other
    numbers are undone: the previous label is selected again, pixels get their previous values, and `refused` is
    emitted with the reason.

    Parameters
    ----------
    window
        Part of the segment that the layers cover.
    values
        Label values ``(y, x)`` of that part. The layers use these arrays without copying them.
    read_only
        Whether painting is disabled.

    Attributes
    ----------
    layers : mapping
        Labels layer for each of ``"ink"`` and ``"edge"``.
    window : Region
        Part of the segment that the layers cover now.
    """

    painted = Signal(object, str)
    refused = Signal(str)

    def __init__(
        self,
        window: Region,
        values: Mapping[LabelKind, UInt8Array],
        read_only: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.window = window
        self.layers: dict[LabelKind, Labels] = {
            "ink": _labels_layer("ink", values["ink"]),
            "edge": _labels_layer("edge", values["edge"]),
        }
        # napari paints in place, so only a copy of the last committed values tells what a stroke has changed.
        self._arrays: dict[LabelKind, UInt8Array] = {what: layer.data for what, layer in self.layers.items()}
        self._committed = {what: layer.data.copy() for what, layer in self.layers.items()}
        self._selected = {what: int(layer.selected_label) for what, layer in self.layers.items()}
        self._read_only, self._can_draw = read_only, not read_only
        self._is_own_change = self.is_drawing = False
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._on_settled)
        for what, layer in self.layers.items():
            layer.translate = (window.y0, window.x0)
            layer.editable = self._can_draw
            layer.mouse_drag_callbacks.append(self._watch_stroke)
            layer.events.paint.connect(self._on_paint)
            layer.events.set_data.connect(self._on_data)
            layer.events.data.connect(partial(self._on_replaced, what))
            layer.events.selected_label.connect(partial(self._on_selected, what))
            layer.events.editable.connect(self._hold_editable)

    def values(self, what: LabelKind) -> UInt8Array:
        """Return the array of label values in the window, ``(y, x)`` uint8; not a copy."""
        return self._arrays[what]

    def commit(self) -> bool:
        """Emit what has changed since the last commit; return whether anything has."""
        blocks: list[Block] = []
        refusals: list[str] = []
        for what, values in self._arrays.items():
            bounds = changed_bounds(values, self._committed[what])
            if bounds is None:
                continue
            part = bounds.slices
            if found := _put_back_others(values[part], self._committed[what][part]):
                refusals.append(_refusal(what, found))
                self._refresh({what})
            # A copy: a listener may keep the block until it is on disk, and the next stroke changes the array in place.
            self._committed[what][part] = values[part]
            blocks.append((what, self.window.y0 + bounds.y0, self.window.x0 + bounds.x0, values[part].copy()))
        if blocks:
            self.painted.emit(blocks, self._stroke_name(blocks[0][0]))
        for sentence in refusals:
            self.refused.emit(sentence)
        return bool(blocks)

    def show(self, blocks: Iterable[Block]) -> None:
        """Show label values that were changed elsewhere: by a canvas tool, undo or redo."""
        touched = set()
        for what, y, x, values in blocks:
            if (overlap := self.window.overlap(y, x, values.shape)) is not None:
                here, there = overlap
                # These values come from the store, so they must not be committed as a new stroke.
                self._arrays[what][here] = self._committed[what][here] = values[there]
                touched.add(what)
        self._refresh(touched)

    def preview_stroke(self, what: LabelKind, part: Region, mask: npt.NDArray[np.bool_], value: int) -> None:
        """Show what an unfinished stroke will paint; `show` puts the final values in place once it is applied."""
        if (overlap := self.window.overlap(part.y0, part.x0, mask.shape)) is not None:
            here, there = overlap
            self._arrays[what][here][mask[there]] = value
            self._refresh({what})

    def move(self, window: Region, values: Mapping[LabelKind, UInt8Array]) -> None:
        """Cover another part of the segment of the same size."""
        self.window = window
        for what, layer in self.layers.items():
            self._arrays[what][:] = self._committed[what][:] = values[what]
            layer.translate = (window.y0, window.x0)
        self._refresh(set(self.layers))

    def activate_tool(self, tool: str) -> Labels:
        """Set the layer of a tool to paint or erase mode; return the layer, for the caller to select."""
        what, value = _BRUSHES[Tool(tool)]
        layer = self.layers[what]
        layer.visible = True  # napari paints nothing on a hidden layer
        if value:
            layer.selected_label = value
        layer.mode = "paint" if value else "erase"
        return layer

    def allow_drawing(self, is_allowed: bool) -> None:
        """Enable or disable napari's brushes on the layers; on read-only labels they stay disabled."""
        self._can_draw = is_allowed and not self._read_only
        for layer in self.layers.values():
            layer.editable = self._can_draw

    @property
    def hidden(self) -> tuple[LabelKind, ...]:
        """Names of the layers that are hidden."""
        return tuple(what for what, layer in self.layers.items() if not layer.visible)

    def tool_of(self, layer: object) -> str:
        """Return the tool that a layer is set to; empty for another layer, or in a mode that does not paint."""
        for what, own in self.layers.items():
            if own == layer and own.mode in ("paint", "erase", "fill", "polygon"):
                value = 0 if own.mode == "erase" else own.selected_label
                return next((tool for tool, meant in _BRUSHES.items() if meant == (what, value)), "")
        return ""

    def _stroke_name(self, what: LabelKind) -> str:
        layer = self.layers[what]
        return f"{layer.mode} {self.tool_of(layer)}" if layer.mode in ("fill", "polygon") else self.tool_of(layer)

    def _refresh(self, touched: Iterable[LabelKind]) -> None:
        before, self._is_own_change = self._is_own_change, True
        for what in touched:
            self.layers[what].refresh(extent=False, highlight=False)
        self._is_own_change = before

    def _watch_stroke(self, _layer: Labels, event: Any) -> Iterator[None]:
        self.is_drawing = True
        yield
        while event.type == "mouse_move":
            yield
        self.is_drawing = False

    def _on_paint(self) -> None:
        # napari emits `paint` after a stroke has changed the data, but before the change when a script paints.
        # If there is nothing to commit yet, look again a moment later.
        if not self.commit():
            self._settled.throttle()

    def _on_data(self) -> None:
        # Data can also be changed without a brush: by napari's own undo, a script or another plugin.
        if not self._is_own_change:
            self._settled.throttle()

    def _hold_editable(self, *_: object) -> None:
        # napari makes a layer editable again whenever its data is set.
        for layer in self.layers.values():
            if layer.editable != self._can_draw:
                layer.editable = self._can_draw

    def _on_selected(self, what: LabelKind, *_: object) -> None:
        layer = self.layers[what]
        if layer.selected_label in _VALUES:
            self._selected[what] = int(layer.selected_label)
            return
        refused = int(layer.selected_label)
        layer.selected_label = self._selected[what]
        self.refused.emit(_refusal(what, [refused]))

    def _on_replaced(self, what: LabelKind, *_: object) -> None:
        """Copy the values of an array that was set as the layer's data, and put the original array back."""
        layer, own, given = self.layers[what], self._arrays[what], self.layers[what].data
        if given is own or self._is_own_change:
            return
        # The layer must keep its array: the store, the tools and the committed copy all refer to it.
        self._is_own_change = True
        try:
            layer.data = own
        finally:
            self._is_own_change = False
        if self._read_only or tuple(given.shape) != own.shape:
            size = " × ".join(map(str, own.shape))
            why = "they are read only" if self._read_only else f"they have {size} pixels"
            self.refused.emit(f"{_NAMES[what]} keep their values: other data was set on the layer, but {why}.")
            return
        values = np.asarray(given)
        is_label = np.isin(values, _VALUES)
        own[is_label] = values[is_label]
        self._refresh({what})
        self.commit()
        if not is_label.all():
            self.refused.emit(_refusal(what, np.unique(values[~is_label]).tolist()))

    def _on_settled(self) -> None:
        if self.is_drawing:
            self._settled.throttle()
        else:
            self.commit()


def overview_layer(values: UInt8Array, step: int) -> Labels:
    """Return a read-only layer with every `step`-th ink label of a large segment."""
    layer = _labels_layer("ink", values)
    layer.name = "Ink labels, all"
    layer.scale = (step, step)
    layer.editable = False
    return layer


def _put_back_others(values: UInt8Array, before: UInt8Array) -> list[int]:
    """Restore pixels whose value is not a label value; return the values that were found."""
    others = (values > max(_VALUES)) & (values != before)
    if not others.any():
        return []
    found = [int(value) for value in np.unique(values[others])]
    values[others] = before[others]
    return found


def _refusal(what: LabelKind, found: Sequence[int]) -> str:
    numbers = ", ".join(map(str, found[:5])) + (" …" if len(found) > 5 else "")
    return f"{_NAMES[what]} take {_MEANINGS[what]} only, so {numbers} was not taken."


def _labels_layer(what: LabelKind, values: UInt8Array) -> Labels:
    fixed: dict[int | None, tuple[float, ...]] = {
        int(value): (*colour(_COLOURS[what, int(value)]), default[3]) if value else default
        for value, default in (INK_COLOURS if what == "ink" else EDGE_COLOURS).items()
    }
    fixed[None] = fixed[0]  # colour of values that are not labels, shown until they are undone
    layer = Labels(
        values, name=_NAMES[what], colormap=DirectLabelColormap(color_dict=fixed), opacity=LABEL_OPACITY[what]
    )
    layer.brush_size = _BRUSH[what]
    # With a contour, napari would refresh the whole plane at every stroke.
    layer.contour = 0
    return layer
