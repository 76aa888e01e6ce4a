"""How a segment is looked at: remembered from one day to the next, and changed by key to see what is underneath."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_ink.gui.layers.viewport import camera_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ink.gui.layers.manager import LayerManager

_STEP = 0.15


class DisplayController:
    """Shows and hides labels and predictions, and describes the view as plain values.

    Parameters
    ----------
    viewer
        The viewer that is looked through.
    layers
        The layers of it that are ours.
    """

    def __init__(self, viewer: Viewer, layers: LayerManager) -> None:
        self._viewer, self._layers = viewer, layers

    def describe(self) -> dict[str, Any]:
        """Return where one looks and what is shown, as values that JSON knows; empty without a stack."""
        stack = self._layers.stack_layer
        if stack is None or not self._layers.viewport.is_plain:  # a view that is turned is left again before long
            return {}
        camera = camera_of(self._viewer)
        return {
            "center": [float(value) for value in camera.center[-2:]],
            "zoom": float(camera.zoom),
            "depth": float(self._viewer.dims.point[0]),
            "contrast_limits": [float(value) for value in stack.contrast_limits],
            "shown": {layer.name: [bool(layer.visible), float(layer.opacity)] for layer in self._kept()},
        }

    def recall(self, view: dict[str, Any]) -> None:
        """Look where `view` says; what it does not say, or says wrongly, stays as it is."""
        stack, camera = self._layers.stack_layer, camera_of(self._viewer)
        if stack is None or not view:
            return
        center, limits = _numbers(view.get("center"), 2), _numbers(view.get("contrast_limits"), 2)
        zoom, depth = _numbers([view.get("zoom")], 1), _numbers([view.get("depth")], 1)
        if center and zoom and zoom[0] > 0:
            camera.center, camera.zoom = (*camera.center[:-2], *center), zoom[0]
        if limits and limits[0] < limits[1]:
            stack.contrast_limits = limits
        if depth:
            self._viewer.dims.set_point(0, depth[0])

    def recall_layers(self, view: dict[str, Any]) -> None:
        """Show those of our layers that were shown, as strongly as they were."""
        shown = view.get("shown")
        for layer in self._kept():
            said = _numbers(shown.get(layer.name), 2) if isinstance(shown, dict) else []
            if said:
                layer.visible, layer.opacity = bool(said[0]), min(max(said[1], 0.0), 1.0)

    def blink_labels(self) -> None:
        """Show the labels if they are hidden, and hide them if they are shown."""
        _blink(self._label_layers())

    def blink_prediction(self) -> None:
        """Show the prediction if it is hidden, and hide it if it is shown."""
        _blink(self._predicted_layers())

    def swap(self) -> None:
        """Show the prediction in place of the labels, or the labels in place of the prediction."""
        labels, predicted = self._label_layers(), self._predicted_layers()
        show_labels = not any(layer.visible for layer in labels)
        for layers, visible in ((labels, show_labels), (predicted, not show_labels)):
            for layer in layers:
                layer.visible = visible

    def fade(self, stronger: bool) -> None:
        """Make labels and prediction a step stronger or fainter."""
        for layer in (*self._label_layers(), *self._predicted_layers()):
            layer.opacity = min(max(layer.opacity + (_STEP if stronger else -_STEP), 0.1), 1.0)

    def center(self) -> tuple[float, float]:
        """Return the place in the middle of the picture, y and x."""
        y, x = camera_of(self._viewer).center[-2:]
        return float(y), float(x)

    def go_to(self, y: float, x: float, extent: float | None = None) -> None:
        """Look at a place, with `extent` pixels around it across the picture if that is given."""
        self._layers.viewport.make_plain()
        camera = camera_of(self._viewer)
        camera.center = (*camera.center[:-2], y, x)
        if extent is not None and (view := self._layers.viewport.visible_region()) is not None:
            camera.zoom *= max(view.shape) / max(extent, 1.0)

    def _label_layers(self) -> list[Layer]:
        return [] if self._layers.editable is None else list(self._layers.editable.layers.values())

    def _predicted_layers(self) -> list[Layer]:
        return [] if self._layers.overlay is None else list(self._layers.overlay.layers.values())

    def _kept(self) -> Iterable[Layer]:
        return (*self._label_layers(), *self._predicted_layers())


def _blink(layers: list[Layer]) -> None:
    visible = not any(layer.visible for layer in layers)
    for layer in layers:
        layer.visible = visible


def _numbers(said: Any, count: int) -> list[float]:
    """Return so many finite numbers, or nothing if that is not what is said."""
    if not isinstance(said, list) or len(said) != count:
        return []
    numbers = [float(one) for one in said if isinstance(one, int | float) and math.isfinite(one)]
    return numbers if len(numbers) == count else []
