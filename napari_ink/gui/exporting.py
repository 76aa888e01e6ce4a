"""What an export writes: masks cut from the shown prediction, or from the labels as they are at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.export import edge_mask, ink_mask, supervision_mask
from napari_ink.gui.layers import InkLayers
from napari_ink.gui.state import ExportFrom, ExportWhat, What


def values_to_export(
    what: ExportWhat, source: ExportFrom, layers: InkLayers, thresholds: Mapping[What, float]
) -> npt.NDArray[Any] | None:
    """Return a mask (bool) or label values (uint8) of the segment's height and width, or None if there is nothing.

    It is an array of its own, so that painting may go on while it is written.
    """
    if source == "labels":
        labels = layers.editable
        return None if labels is None else _from_labels(what, labels.values("ink"), labels.values("edge"))
    if layers.overlay is None or what not in ("ink", "edges"):
        return None
    shown: What = "ink" if what == "ink" else "edge"
    return layers.overlay.mask(shown, thresholds[shown])


def _from_labels(what: ExportWhat, ink: npt.NDArray[np.uint8], edge: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    match what:
        case "ink":
            return ink_mask(ink)
        case "edges":
            return edge_mask(edge)
        case "supervision":
            return supervision_mask(ink)
        case "labels":
            return ink.copy()
