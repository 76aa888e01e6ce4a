"""Overlay of a prediction, running or stored, and its thresholds of ink and edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.typing import LabelKind, ThirdPlane

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.prediction import PredictionBand, PredictionFound
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.models.prediction import ModelEntry
    from napari_ink.predict import PredictionStarted, TilePredicted, UnfamiliarMap


class OverlayController:
    """Controller that fills the prediction overlay and sets its thresholds.

    Parameters
    ----------
    store
        State of the window, with the thresholds.
    layers
        Layers of the viewer, with the overlay.
    """

    def __init__(self, store: StateStore, layers: LayerManager) -> None:
        self._store, self._layers = store, layers
        layers.gone.connect(self._on_layers_gone)

    def is_of(self, path: Path, third: ThirdPlane | None) -> bool:
        """Whether the overlay shows everything in a prediction store."""
        overlay = self._layers.overlay
        return overlay is not None and overlay.shows == path and overlay.has_planes(third)

    def fits(self, third: ThirdPlane | None) -> bool:
        """Whether the next prediction can reuse the existing layers."""
        return self._layers.overlay is not None and self._layers.overlay.fits(third)

    def begin(self, shape: tuple[int, int], third: ThirdPlane | None) -> None:
        """Show an empty prediction."""
        self._layers.begin_overlay(shape, self.thresholds(), third)

    def begin_growing(self, event: PredictionStarted) -> None:
        """Show a prediction that has just started."""
        # An overlay that is still empty was created for this run while it waited, so it is kept.
        overlay, third = self._layers.overlay, event.third
        if overlay is None or not overlay.is_empty or not overlay.has_planes(third):
            self.begin(event.shape, third)
        self._layers.show_prediction(True)
        if self._layers.overlay is not None:
            self._layers.overlay.shows = event.path

    def begin_stored(self, event: PredictionFound, is_hidden_by_labels: bool = True) -> None:
        """Show a stored prediction whose rows follow; hidden if there are labels, unless the user asked to see it."""
        self.begin(event.shape, event.third)
        self._layers.show_unfamiliar(event.unfamiliar)
        if is_hidden_by_labels and self._layers.editable is not None:
            self._layers.show_prediction(False)

    def show_unfamiliar(self, found: UnfamiliarMap | None) -> None:
        """Add the hidden layer of where not to trust the prediction."""
        self._layers.show_unfamiliar(found)

    def put_band(self, event: PredictionBand, path: Path) -> None:
        """Show a band of rows of a stored prediction."""
        if (overlay := self._layers.overlay) is not None:
            overlay.put(event.y, slice(0, event.planes[0].shape[1]), *event.planes)
            if event.is_last:
                overlay.shows = path  # only with the last band: until then rows are missing

    def put_tile(self, event: TilePredicted) -> None:
        """Show a predicted tile."""
        if self._layers.overlay is not None:
            self._layers.overlay.put(event.y, event.x, event.ink, event.edge, event.third)

    def thresholds(self) -> dict[LabelKind, float]:
        """Return the thresholds of ink and edges."""
        return {"ink": self._store.state.ink_threshold, "edge": self._store.state.edge_threshold}

    def use_thresholds(self, model: ModelEntry) -> None:
        """Set the thresholds that a model recommends."""
        ink, edge = model.thresholds
        self.set_thresholds({"ink": ink, "edge": edge})

    def set_thresholds(self, thresholds: Mapping[LabelKind, float]) -> None:
        """Set both thresholds, and leave the visibility of the layers as it is."""
        for what, threshold in thresholds.items():
            self._set_threshold(what, threshold)

    def set_threshold(self, what: LabelKind, threshold: float) -> None:
        """Set a threshold; the model does not run again, and what is hidden stays hidden."""
        self._set_threshold(what, threshold)

    def _on_layers_gone(self) -> None:
        self._store.update(has_prediction=self._layers.overlay is not None)

    def _set_threshold(self, what: LabelKind, threshold: float) -> None:
        if self._layers.overlay is not None:
            self._layers.overlay.set_threshold(what, threshold)
        # An export at another threshold would differ, so the panel no longer calls this one exported.
        self._store.update(**{f"{what}_threshold": threshold, "exported": ""})
