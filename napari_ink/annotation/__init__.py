"""Labels that people draw: what their values mean, how they look, and how they begin."""

from napari_ink.annotation.labels import (
    EDGE_COLOURS,
    INK_COLOURS,
    EdgeValue,
    LabelValue,
    draft_edge_labels,
    draft_ink_labels,
)
from napari_ink.annotation.reading import read_label_values

__all__ = [
    "EDGE_COLOURS",
    "INK_COLOURS",
    "EdgeValue",
    "LabelValue",
    "draft_edge_labels",
    "draft_ink_labels",
    "read_label_values",
]
