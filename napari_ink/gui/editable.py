"""The editable labels: an ink layer and an edge layer, their tools, and what a person has done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.gui.state import LabelCounts, What

if TYPE_CHECKING:
    from collections.abc import Mapping

UInt8Array = npt.NDArray[np.uint8]
_COUNT_MS = 250
_NAMES: dict[What, str] = {"ink": "Ink labels", "edge": "Edge labels"}
_BRUSH: dict[What, int] = {"ink": 15, "edge": 3}
# Ink covers the very fibres that one judges it by; edges are thin lines.
_OPACITY: dict[What, float] = {"ink": 0.6, "edge": 1.0}
TOOLS: dict[str, tuple[What, int]] = {
    "ink": ("ink", LabelValue.INK),
    "papyrus": ("ink", LabelValue.PAPYRUS),
    "erase ink": ("ink", LabelValue.UNREVIEWED),
    "edge": ("edge", EdgeValue.EDGE),
    "not edge": ("edge", EdgeValue.NOT_EDGE),
    "erase edge": ("edge", EdgeValue.UNREVIEWED),
}


class EditableLabels(QObject):
    """Two labels layers that napari's brush, eraser, fill, polygon and undo work on.

    Attributes
    ----------
    layers : mapping
        One labels layer for ``"ink"`` and one for ``"edge"``.
    edited : bool
        Whether anything was painted since they were made.
    """

    painted = Signal()
    counted = Signal()

    def __init__(self, ink: UInt8Array, edge: UInt8Array, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.edited = False
        self.layers: dict[What, Labels] = {
            "ink": _labels_layer("ink", ink, INK_COLOURS),
            "edge": _labels_layer("edge", edge, EDGE_COLOURS),
        }
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_COUNT_MS)
        self._timer.timeout.connect(self.counted)
        for layer in self.layers.values():
            layer.events.paint.connect(self._on_paint)
            layer.events.set_data.connect(self._on_data)

    def values(self, what: What) -> UInt8Array:
        """Return the label values themselves, ``(y, x)`` uint8."""
        values: UInt8Array = self.layers[what].data
        return values

    def counts(self) -> LabelCounts:
        """Count the pixels that carry a label."""
        ink, edge = self.values("ink"), self.values("edge")
        return LabelCounts(
            ink=int(np.count_nonzero(ink == LabelValue.INK)),
            papyrus=int(np.count_nonzero(ink == LabelValue.PAPYRUS)),
            edge=int(np.count_nonzero(edge == EdgeValue.EDGE)),
            not_edge=int(np.count_nonzero(edge == EdgeValue.NOT_EDGE)),
        )

    def take_tool(self, tool: str) -> Labels:
        """Set the layer that a tool works on to paint or erase; return it, to be made the active one."""
        what, value = TOOLS[tool]
        layer = self.layers[what]
        if value:
            layer.selected_label = value
        layer.mode = "paint" if value else "erase"
        return layer

    def tool_of(self, layer: object) -> str:
        """Return the tool that a layer is set to, empty if it is none of ours or none is in hand."""
        for what, own in self.layers.items():
            if own == layer and own.mode in ("paint", "erase", "fill", "polygon"):
                value = 0 if own.mode == "erase" else own.selected_label
                return next((tool for tool, meant in TOOLS.items() if meant == (what, value)), "")
        return ""

    def _on_paint(self) -> None:
        self.edited = True
        self.painted.emit()
        self._timer.start()

    def _on_data(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


def _labels_layer(what: What, values: UInt8Array, colours: Mapping[Any, tuple[float, ...]]) -> Labels:
    fixed: dict[int | None, tuple[float, ...]] = {int(value): colour for value, colour in colours.items()}
    fixed[None] = fixed[0]
    layer = Labels(values, name=_NAMES[what], colormap=DirectLabelColormap(color_dict=fixed), opacity=_OPACITY[what])
    layer.brush_size = _BRUSH[what]
    # A contour would turn every stroke into a refresh of the whole plane.
    layer.contour = 0
    return layer
