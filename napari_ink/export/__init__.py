"""Labels and predictions in the formats of the field."""

from napari_ink.export.images import check_output, write_label_values, write_mask
from napari_ink.export.masks import edge_mask, ink_mask, supervision_mask
from napari_ink.export.sources import ExportWhat, export_source

__all__ = [
    "ExportWhat",
    "check_output",
    "edge_mask",
    "export_source",
    "ink_mask",
    "supervision_mask",
    "write_label_values",
    "write_mask",
]
