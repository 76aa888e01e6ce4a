"""Display of labels and prediction: blink, swap, fade, and move the view to a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.gui.layers.viewport import camera_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ink.gui.layers.manager import LayerManager

_STEP = 0.15


class DisplayController:
    """Controller that shows and hides labels and predictions, and moves the view.

    Parameters
    ----------
    viewer
        Viewer that shows them.
    layers
        Layers of the viewer.
    """

    def __init__(self, viewer: Viewer, layers: LayerManager) -> None:
        self._viewer, self._layers = viewer, layers

    def blink_labels(self) -> None:
        """Toggle the visibility of the labels."""
        _blink(self._layers.label_layers())

    def blink_prediction(self) -> None:
        """Toggle the visibility of the prediction."""
        _blink(self._layers.predicted_layers())

    def swap(self) -> None:
        """Show the prediction instead of the labels, or the labels instead of the prediction."""
        labels, predicted = self._layers.label_layers(), self._layers.predicted_layers()
        show_labels = not any(layer.visible for layer in labels)
        for layers, visible in ((labels, show_labels), (predicted, not show_labels)):
            for layer in layers:
                layer.visible = visible

    def fade(self, stronger: bool) -> None:
        """Raise or lower the opacity of labels and prediction by one step."""
        for layer in (*self._layers.label_layers(), *self._layers.predicted_layers()):
            # Never 0: a layer that is shown but invisible looks like a fault.
            layer.opacity = min(max(layer.opacity + (_STEP if stronger else -_STEP), 0.1), 1.0)

    def center(self) -> tuple[float, float]:
        """Return y and x at the middle of the canvas."""
        y, x = camera_of(self._viewer).center[-2:]
        return float(y), float(x)

    def mouse(self) -> tuple[float, float]:
        """Return y and x of the place where the mouse is or was last on the canvas."""
        y, x = self._viewer.cursor.position[-2:]
        return float(y), float(x)

    def go_to(self, y: float, x: float, extent: float | None = None) -> None:
        """Center the view on a place, and zoom so that `extent` pixels are visible if it is given."""
        self._layers.viewport.make_plain()
        camera = camera_of(self._viewer)
        camera.center = (*camera.center[:-2], y, x)
        if extent is not None and (view := self._layers.viewport.visible_region()) is not None:
            camera.zoom *= max(view.shape) / max(extent, 1.0)


def _blink(layers: list[Layer]) -> None:
    # All layers get the same visibility: if each were toggled, one shown and one hidden layer would only swap.
    visible = not any(layer.visible for layer in layers)
    for layer in layers:
        layer.visible = visible
