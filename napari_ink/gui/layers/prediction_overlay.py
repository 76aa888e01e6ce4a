"""Prediction overlays: planes of uint8 probabilities, filled tile by tile and thresholded on the graphics card."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap
from qtpy.QtCore import QObject, QTimer

from napari_ink.gui.layers.growing_pyramid import Coarser, GrowingPyramid
from napari_ink.gui.models.palette import DISAGREEMENT_RGB, PREDICTION_ALPHA
from napari_ink.gui.models.state import cut_level
from napari_ink.gui.preferences import colour
from napari_ink.typing import LabelKind, ThirdPlane, UInt8Array

_NAMES: dict[LabelKind, str] = {"ink": "Ink (predicted)", "edge": "Edges (predicted)"}
_COARSER: dict[LabelKind, Coarser] = {"ink": "mean", "edge": "max"}
_MOST_DISAGREEMENT = 128  # a standard deviation of a quarter
_LEAST_INK = 64
# Of cividis, whose order colour-blind people see as well.
_FIRST_LAYER_RGB, _MIDDLE_LAYER_RGB, _LAST_LAYER_RGB = (0.0, 0.13, 0.30), (0.49, 0.48, 0.47), (1.0, 0.92, 0.27)
_REFRESH_MS = 200
_REST = 4


class PredictionOverlay(QObject):
    """Probabilities of one prediction, and the image layers that show them.

    Parameters
    ----------
    shape
        Height and width of the segment in pixels.
    thresholds
        Thresholds of ink and edges, 0…1.
    third
        Name of a third plane; None if there is none.

    Attributes
    ----------
    layers : mapping
        Image layer for each of ``"ink"`` and ``"edge"``; the caller adds them to a viewer.
    third : Image or None
        Layer of the third plane, hidden at first.
    shows : Path or None
        Prediction store whose finished tiles are all shown; set by the caller.
    is_empty : bool
        Whether no tile has been put in yet.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        thresholds: Mapping[LabelKind, float],
        third: ThirdPlane | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.shows: Path | None = None
        self.is_empty = True
        self._planes: dict[LabelKind, GrowingPyramid] = {what: GrowingPyramid(shape, _COARSER[what]) for what in _NAMES}
        self.layers: dict[LabelKind, Image] = {
            what: _layer(plane, _NAMES[what], overlay_colormap(what), 255) for what, plane in self._planes.items()
        }
        self._third_name = third
        self._third = None if third is None else GrowingPyramid(shape, "max")
        self.third: Image | None = None
        if self._third is not None:
            self.third = _third_layer(self._third, third)
            self.third.visible = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh)
        self._drawn = QTimer(self)
        self._drawn.setSingleShot(True)
        self._drawn.timeout.connect(self._on_drawn)
        self._refreshed_at = 0.0
        self._pause_ms = _REFRESH_MS
        for what in _NAMES:
            self.set_threshold(what, thresholds[what])

    def set_threshold(self, what: LabelKind, threshold: float) -> None:
        """Show pixels that reach a threshold; no pixel is recomputed."""
        level = cut_level(threshold)
        # Limits one grey level apart turn the linear colormap into a step, so the graphics card does the thresholding.
        self.layers[what].contrast_limits = (level - 1, level)

    def level(self, what: LabelKind) -> int:
        """Return the smallest probability that is shown, 0…255."""
        return int(self.layers[what].contrast_limits[1])

    def all_layers(self) -> list[Image]:
        """Return all layers, the topmost last."""
        below = [] if self.third is None else [self.third]
        return [*below, *self.layers.values()]

    def fits(self, third: ThirdPlane | None) -> bool:
        """Whether another prediction can reuse the layers: they have the same planes and are cheap to clear."""
        return self.has_planes(third) and (self.is_empty or self._planes["ink"].is_in_memory)

    def has_planes(self, third: ThirdPlane | None) -> bool:
        """Whether there are the planes for a prediction with this third plane, or with none."""
        return third == self._third_name

    def clear(self) -> None:
        """Clear all probabilities, and keep the layers."""
        self.shows = None
        if self.is_empty:
            return
        self.is_empty = True
        for plane in (*self._planes.values(), *([self._third] if self._third is not None else [])):
            plane.clear()
        self._refresh()

    def put(self, y: slice, x: slice, ink: UInt8Array, edge: UInt8Array, third: UInt8Array | None = None) -> None:
        """Put in the probabilities of one tile; the layers are refreshed a few times per second."""
        self.is_empty = False
        self._planes["ink"].put(y, x, ink)
        self._planes["edge"].put(y, x, edge)
        if third is not None and self._third is not None:
            # A depth means nothing where there is no ink, and 0 is shown as nothing.
            self._third.put(y, x, np.where(ink >= _LEAST_INK, third, 0) if self._third_name == "depth" else third)
        # Not a debouncer: tiles may arrive faster than it would settle, and then nothing would be drawn until the end.
        if not self._timer.isActive():
            self._timer.start(self._pause_ms)

    def probabilities(self, what: LabelKind) -> UInt8Array:
        """Return the plane of probabilities, ``(y, x)`` uint8; not a copy."""
        return self._planes[what].levels[0]

    def mask(self, what: LabelKind, threshold: float) -> npt.NDArray[np.bool_]:
        """Return the pixels that reach a threshold, which are exactly those that are shown."""
        mask: npt.NDArray[np.bool_] = self.probabilities(what) >= cut_level(threshold)
        return mask

    def _refresh(self) -> None:
        self._refreshed_at = time.perf_counter()
        for layer in self.all_layers():
            if layer.visible:
                layer.refresh(extent=False, highlight=False)
        self._drawn.start(0)  # fires after the draw that the refresh has queued, so it measures how long that takes

    def _on_drawn(self) -> None:
        # If drawing is slow (large plane, no graphics card), rest several times as long, so that the window responds.
        took = time.perf_counter() - self._refreshed_at
        self._pause_ms = max(_REFRESH_MS, round(_REST * 1000 * took))


def _layer(plane: GrowingPyramid, name: str, colormap: Colormap, top: int) -> Image:
    is_large = len(plane.levels) > 1
    return Image(
        plane.levels if is_large else plane.levels[0],
        multiscale=is_large,
        name=name,
        colormap=colormap,
        contrast_limits=(0, top),
        blending="translucent",
        interpolation2d="nearest",
    )


def _third_layer(plane: GrowingPyramid, name: ThirdPlane | None) -> Image:
    if name == "depth":
        return _layer(plane, "Depth of ink (predicted)", depth_colormap(), 255)
    return _layer(plane, "Disagreement (predicted)", disagreement_colormap(), _MOST_DISAGREEMENT)


def depth_colormap() -> Colormap:
    """Return the colormap of the depth of ink: transparent for 0, then from the first layer to the last."""
    return Colormap(
        [(*_FIRST_LAYER_RGB, 0.0), (*_FIRST_LAYER_RGB, 0.85), (*_MIDDLE_LAYER_RGB, 0.85), (*_LAST_LAYER_RGB, 0.85)],
        controls=[0.0, 1 / 255, 0.5, 1.0],
        name="napari-ink depth",
        display_name="depth of ink",
    )


def disagreement_colormap() -> Colormap:
    """Return the colormap of disagreement, from transparent (none) to reddish purple (largest)."""
    return Colormap(
        [(*DISAGREEMENT_RGB, 0.0), (*DISAGREEMENT_RGB, 0.85)],
        name="napari-ink disagreement",
        display_name="disagreement",
    )


def overlay_colormap(what: LabelKind) -> Colormap:
    """Return the colormap from transparent to the colour of ink or of edges.

    With contrast limits ``(k - 1, k)`` the graphics card thresholds uint8 probabilities at k, so that moving a
    threshold recomputes no array.
    """
    rgb = colour("predicted_ink" if what == "ink" else "predicted_edges")
    return Colormap(
        [(*rgb, 0.0), (*rgb, PREDICTION_ALPHA[what])],
        name=f"napari-ink {what}",
        display_name="ink" if what == "ink" else "edges",
    )
