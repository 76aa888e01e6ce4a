"""What keys do to the picture: blink, swap and fade labels and prediction, and go to a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.gui.layers.viewport import camera_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ink.gui.layers.manager import LayerManager

_STEP = 0.15


class DisplayController:
    """Shows and hides labels and predictions, and moves the view.

    Parameters
    ----------
    viewer
        The viewer that shows them.
    layers
        The viewer's layers.
    """

    def __init__(self, viewer: Viewer, layers: LayerManager) -> None:
        self._viewer, self._layers = viewer, layers

    def blink_labels(self) -> None:
        """Show the labels if they are hidden, and hide them if they are shown."""
        _blink(self._layers.label_layers())

    def blink_prediction(self) -> None:
        """Show the prediction if it is hidden, and hide it if it is shown."""
        _blink(self._layers.predicted_layers())

    def swap(self) -> None:
        """Show the prediction in place of the labels, or the labels in place of the prediction."""
        labels, predicted = self._layers.label_layers(), self._layers.predicted_layers()
        show_labels = not any(layer.visible for layer in labels)
        for layers, visible in ((labels, show_labels), (predicted, not show_labels)):
            for layer in layers:
                layer.visible = visible

    def fade(self, stronger: bool) -> None:
        """Make labels and prediction a step stronger or fainter."""
        for layer in (*self._layers.label_layers(), *self._layers.predicted_layers()):
            layer.opacity = min(max(layer.opacity + (_STEP if stronger else -_STEP), 0.1), 1.0)

    def center(self) -> tuple[float, float]:
        """Return the place in the middle of the picture, y and x."""
        y, x = camera_of(self._viewer).center[-2:]
        return float(y), float(x)

    def go_to(self, y: float, x: float, extent: float | None = None) -> None:
        """Center the view on a place, zoomed to `extent` pixels across the picture if that is given."""
        self._layers.viewport.make_plain()
        camera = camera_of(self._viewer)
        camera.center = (*camera.center[:-2], y, x)
        if extent is not None and (view := self._layers.viewport.visible_region()) is not None:
            camera.zoom *= max(view.shape) / max(extent, 1.0)


def _blink(layers: list[Layer]) -> None:
    visible = not any(layer.visible for layer in layers)
    for layer in layers:
        layer.visible = visible
