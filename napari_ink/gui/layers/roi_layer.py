"""Regions of interest: a shapes layer with the outlines to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_ink.gui.models.polygons import Polygon, as_polygon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.utils.events import Event

    from napari_ink.gui.layers.manager import LayerManager

_KEY, _NAME = "roi", "Region of interest"
_SETTLE_MS = 400
_WIDTH_ON_SCREEN_PX = 3
_YELLOW = "#F0E442"  # of Okabe and Ito, apart from ink and edges


class RoiLayer(QObject):
    """Shapes that the user draws around the parts to predict.

    Emits `changed` a moment after the last change, and never while a shape is unfinished.

    Parameters
    ----------
    layers
        Layers of the viewer.
    """

    changed = Signal()

    def __init__(self, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self._is_pressed = self._is_half_made = False
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._on_settled)
        layers.viewport.settled.connect(self._follow_zoom)

    def begin(self) -> None:
        """Show the shapes layer, and activate its rectangle tool."""
        layer = self._layers.auxiliary(_KEY)
        if layer is None:
            layer = Shapes(ndim=2, name=_NAME, face_color="transparent", edge_color=_YELLOW, edge_width=self._width())
            layer.events.data.connect(self._on_data)
            layer.mouse_drag_callbacks.append(self._on_drag)
            self._is_pressed = self._is_half_made = False
        self._layers.show_drawing(_KEY, layer)

    def polygons(self) -> list[Polygon]:
        """Return the outlines ``(corner, 2)`` of all shapes, in rows and columns."""
        layer = self._layers.auxiliary(_KEY)
        if layer is None:
            return []
        return [
            as_polygon(np.asarray(corners, float)[:, -2:], kind)
            for corners, kind in zip(layer.data, layer.shape_type, strict=True)
            if kind not in ("line", "path")  # they enclose nothing
        ]

    def _on_data(self, event: Event) -> None:
        """Restart the timer at each change; napari emits ADDING when a shape is begun and ADDED when it is finished."""
        action = str(event.action.value)
        if action == "adding":
            self._is_half_made = True
        elif action in ("added", "changed", "removed"):
            self._is_half_made = False
            self._settled.throttle()

    def _on_drag(self, _: Shapes, event: Event) -> Iterator[None]:
        self._is_pressed = True
        yield
        while event.type == "mouse_move":
            yield
        self._is_pressed = False

    def _on_settled(self) -> None:
        if self._is_pressed or self._is_half_made:
            self._settled.throttle()
        else:
            self.changed.emit()

    def _width(self) -> float:
        return _WIDTH_ON_SCREEN_PX / self._layers.viewport.zoom()

    def _follow_zoom(self) -> None:
        """Keep the outline equally wide on the screen; napari measures its width in pixels of the segment."""
        layer, width = self._layers.auxiliary(_KEY), self._width()
        if layer is not None and layer.current_edge_width != width:
            layer.edge_width = width
            layer.current_edge_width = width
