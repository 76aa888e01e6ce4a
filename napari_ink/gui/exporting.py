"""What an export writes: masks cut from the shown prediction, or from the labels in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from napari_ink.export import edge_mask, ink_mask, supervision_mask
from napari_ink.gui.state import ExportFrom, ExportWhat, What

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation
    from napari_ink.gui.overlay import Overlay


def values_to_export(
    what: ExportWhat,
    source: ExportFrom,
    annotation: Annotation | None,
    overlay: Overlay | None,
    thresholds: Mapping[What, float],
) -> Callable[[], npt.NDArray[Any]] | None:
    """Return what reads a mask (bool) or label values (uint8) of the segment's height and width; None without any.

    It is to be called on the thread that writes them, so that painting may go on meanwhile.
    """
    if source == "labels":
        return None if annotation is None else lambda: _from_labels(what, annotation)
    if overlay is None or what not in ("ink", "edges"):
        return None
    shown: What = "ink" if what == "ink" else "edge"
    mask = overlay.mask(shown, thresholds[shown])
    return lambda: mask


def _from_labels(what: ExportWhat, annotation: Annotation) -> npt.NDArray[Any]:
    height, width = annotation.shape
    labels = annotation.read("edge" if what == "edges" else "ink", (0, height), (0, width))
    match what:
        case "ink":
            return ink_mask(labels)
        case "edges":
            return edge_mask(labels)
        case "supervision":
            return supervision_mask(labels)
        case "labels":
            return labels
