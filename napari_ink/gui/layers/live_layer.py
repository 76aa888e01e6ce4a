"""Image layer of the live mode: probabilities of ink in the visible region, in yellow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from qtpy.QtCore import QObject
from superqt.utils import QSignalThrottler

from napari_ink.gui.models.palette import LIVE_ALPHA, LIVE_RGB
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.gui.layers.manager import LayerManager

_KEY, _NAME = "live", "live ink"
# Transparent up to the first probability and opaque from the second on, so that doubtful pixels look pale.
_LIMITS = 90, 190
_REFRESH_MS = 150


class LiveLayer(QObject):
    """Layer that covers the visible region, below the labels; its memory does not grow with the segment.

    Parameters
    ----------
    layers
        Layers of the viewer.

    Attributes
    ----------
    region : Region or None
        Part of the segment that the layer covers; None while it is not shown.
    """

    def __init__(self, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self.region: Region | None = None
        # Blocks arrive faster than a window without a graphics card can draw them.
        self._drawing = QSignalThrottler(parent=self)
        self._drawing.setTimeout(_REFRESH_MS)
        self._drawing.triggered.connect(self._refresh)

    @property
    def is_shown(self) -> bool:
        """Whether the layer is in the list; the user may have removed it."""
        return self._layers.auxiliary(_KEY) is not None

    def cover(self, region: Region) -> None:
        """Cover another part of the segment; probabilities of the shared part stay."""
        if region == self.region and self.is_shown:
            return
        values = np.zeros(region.shape, np.uint8)
        layer = self._layers.auxiliary(_KEY)
        if layer is not None and self.region is not None and self.region.touches(region):
            shared = region.within(self.region)
            values[shared.slices_in(region)] = layer.data[shared.slices_in(self.region)]
        self.region = region
        if layer is None:
            self._layers.show_auxiliary(_KEY, _layer(values, region), under_labels=True)
        else:
            layer.data = values
            layer.translate = (region.y0, region.x0)

    def put(self, region: Region, ink: UInt8Array) -> None:
        """Show the probabilities of one block, where the layer covers it."""
        layer = self._layers.auxiliary(_KEY)
        if layer is None or self.region is None:
            return
        overlap = self.region.overlap(region.y0, region.x0, ink.shape)
        if overlap is not None:
            here, there = overlap
            layer.data[here] = ink[there]
            self._drawing.throttle()

    def _refresh(self) -> None:
        if (layer := self._layers.auxiliary(_KEY)) is not None:
            layer.refresh(extent=False, highlight=False)

    def remove(self) -> None:
        """Remove the layer."""
        self.region = None
        self._layers.remove_auxiliary(_KEY)


def _layer(values: UInt8Array, region: Region) -> Image:
    colormap = Colormap([(*LIVE_RGB, 0.0), (*LIVE_RGB, LIVE_ALPHA)], name="napari-ink live", display_name="live")
    return Image(
        values,
        name=_NAME,
        colormap=colormap,
        contrast_limits=_LIMITS,
        blending="translucent",
        interpolation2d="linear",
        translate=(region.y0, region.x0),
    )
