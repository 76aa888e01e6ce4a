"""Layer of where not to trust: squares that are unlike what the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_ink.gui.models.palette import UNFAMILIAR_RGB

if TYPE_CHECKING:
    from napari_ink.predict import UnfamiliarMap

UNFAMILIAR_KEY = "unfamiliar"
_NAME = "Unlike training"
_MOST = 254  # 255 is a square that was not measured, which is shown as nothing
_LEAST_ALPHA, _MOST_ALPHA = 0.35, 0.8


def unfamiliar_layer(found: UnfamiliarMap) -> Image:
    """Return the layer of a map of where not to trust, hidden at first."""
    y, x = (first + (found.side - 1) / 2 for first in found.first)
    return Image(
        np.where(found.levels > _MOST, 0, found.levels).astype(np.uint8),
        name=_NAME,
        scale=(found.side, found.side),
        translate=(y, x),
        colormap=unfamiliar_colormap(),
        contrast_limits=(0, _MOST),
        blending="translucent",
        interpolation2d="nearest",
        visible=False,
    )


def unfamiliar_colormap() -> Colormap:
    """Return the colormap of distance: nothing inside, and a colour that gets denser further outside."""
    return Colormap(
        [(*UNFAMILIAR_RGB, 0.0), (*UNFAMILIAR_RGB, _LEAST_ALPHA), (*UNFAMILIAR_RGB, _MOST_ALPHA)],
        controls=[0.0, 1 / _MOST, 1.0],
        name="napari-ink unlike training",
        display_name="unlike training",
    )
