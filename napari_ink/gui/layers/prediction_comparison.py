"""Layers that compare the prediction in use with another: their difference, and the other one to alternate with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_ink.gui.layers.lazy_levels import TiledSource
from napari_ink.gui.layers.prediction_levels import plane_levels
from napari_ink.gui.layers.prediction_overlay import overlay_colormap
from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.gui.layers.stack_layer import errors_of
from napari_ink.gui.models.palette import ONLY_FIRST_RGB, ONLY_SECOND_RGB
from napari_ink.gui.models.state import cut_level
from napari_ink.predict import SAME
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.predict import PredictionDifference
    from napari_ink.predict.storage.difference import ReadPart
    from napari_ink.stack import Level

_DIFFERENCE = "difference of predictions"
_KINDS: tuple[LabelKind, ...] = ("ink", "edge")
_NAMES: dict[LabelKind, str] = {"ink": "Ink (compared)", "edge": "Edges (compared)"}
_MOST_ALPHA = 0.9
# Levels near the middle stay transparent: differences of a few hundredths would cover the papyrus with a haze.
_HAZE = 0.02


class PredictionComparison:
    """Layers of one comparison; they read tiles of both stores on threads, and keep a bounded number of them.

    Parameters
    ----------
    layers
        Layers of the viewer.
    difference
        The two predictions; the first is the one in use.
    thresholds
        Thresholds of the second prediction.
    """

    def __init__(
        self, layers: LayerManager, difference: PredictionDifference, thresholds: Mapping[LabelKind, float]
    ) -> None:
        self._layers = layers
        self._sources: list[TiledSource] = []
        self.is_other_shown = False
        overlay = layers.overlay
        self._before: dict[LabelKind, bool] = {
            what: overlay is not None and overlay.layers[what].visible for what in _KINDS
        }
        # If the labels hid both, there would be nothing to alternate between.
        self._to_show: dict[LabelKind, bool] = (
            self._before if any(self._before.values()) else {"ink": True, "edge": False}
        )
        for what in _KINDS:
            level = cut_level(thresholds[what])
            levels = plane_levels(_reader(difference, what), difference.first.shape)
            layer = self._show(_key(what), levels, _NAMES[what], overlay_colormap(what))
            layer.contrast_limits = (level - 1, level)
        levels = plane_levels(difference.read, difference.first.shape, _around_0)
        self._show(_DIFFERENCE, levels, "Difference of predictions", difference_colormap())
        self._show_layers(difference=True, in_use=False, other=False)

    @property
    def is_shown(self) -> bool:
        """Whether its layers are in the list; the user may have removed one of them."""
        return all(self._layers.auxiliary(key) is not None for key in (_DIFFERENCE, *map(_key, _KINDS)))

    def flicker(self) -> None:
        """Show the other prediction in place of the one in use, or the reverse."""
        self.is_other_shown = not self.is_other_shown
        self._show_layers(difference=False, in_use=not self.is_other_shown, other=self.is_other_shown)

    def close(self, is_in_use: bool) -> None:
        """Remove the layers; if the first prediction is still in use, its layers are shown or hidden as before."""
        if is_in_use and (overlay := self._layers.overlay) is not None:
            for what, was_visible in self._before.items():
                overlay.layers[what].visible = was_visible
        for key in (_DIFFERENCE, *map(_key, _KINDS)):
            self._layers.remove_auxiliary(key)
        self.release()

    def _show_layers(self, difference: bool, in_use: bool, other: bool) -> None:
        """Show one of the three: each would hide parts of the others."""
        if (layer := self._layers.auxiliary(_DIFFERENCE)) is not None:
            layer.visible = difference
        overlay = self._layers.overlay
        for what, is_wanted in self._to_show.items():
            if (layer := self._layers.auxiliary(_key(what))) is not None:
                layer.visible = other and is_wanted
            if overlay is not None:
                overlay.layers[what].visible = in_use and is_wanted

    def release(self) -> None:
        """Stop reading tiles."""
        for source in self._sources:
            source.close()

    def _show(self, key: str, levels: list[Level], name: str, colormap: Colormap) -> Image:
        stack = self._layers.stack_layer
        errors = None if stack is None else errors_of(stack)
        source = TiledSource(levels, np.dtype(np.uint8), errors or ReadingErrors())
        source.hold()  # napari slices a layer as it is made and added, which must not read on the GUI thread
        layer = Image(
            source.planes(),
            name=name,
            colormap=colormap,
            contrast_limits=(0, 255),
            blending="translucent",
            interpolation2d="nearest",
            multiscale=True,
            rgb=False,
        )
        source.attach(layer)
        self._sources.append(source)
        self._layers.show_auxiliary(key, layer, under_labels=True)
        self._layers.when_idle(source.release)
        return layer


def _key(what: str) -> str:
    return f"compared {what}"


def _reader(difference: PredictionDifference, what: LabelKind) -> ReadPart:
    def read(y: slice, x: slice) -> UInt8Array:
        return difference.second.read(what, y, x)

    return read


def _around_0(levels: UInt8Array) -> UInt8Array:
    """Return levels of a difference with 0 for the same: 1…127 where the first has more, 255…128 for the second."""
    # Parts that are not read yet are 0, and must look as if there were no difference.
    return levels ^ np.uint8(SAME)


def difference_colormap() -> Colormap:
    """Return the colormap of differences around 0: yellow where the first has more, purple where the second has."""
    first, second = (*ONLY_FIRST_RGB, _MOST_ALPHA), (*ONLY_SECOND_RGB, _MOST_ALPHA)
    return Colormap(
        [(*ONLY_FIRST_RGB, 0), (*ONLY_FIRST_RGB, 0), first, second, (*ONLY_SECOND_RGB, 0), (*ONLY_SECOND_RGB, 0)],
        controls=[0, _HAZE, (SAME - 1) / 255, SAME / 255, 1 - _HAZE, 1],
        name="napari-ink difference",
        display_name="difference",
    )
