from .figure import write_figure
from .formats import FORMATS, Format, format_of
from .import_labels import import_edge_labels, import_ink_labels, import_mask, read_labels
from .names import LabelKind, LabelName, next_version, parse_label_name
from .planes import (
    EDGE_LABELS,
    EDGE_MASK,
    INK_LABELS,
    INK_MASK,
    SUPERVISION_MASK,
    LabelPlane,
    edge_mask,
    ink_mask,
    mapped,
    mask_plane,
    plane_of,
    supervision_mask,
)
from .sources import ExportWhat, annotation_plane, export_source, source_plane
from .write_labels import (
    check_output,
    notes_on_writing,
    write_label_set,
    write_label_values,
    write_mask,
    write_plane,
)

__all__ = [
    "EDGE_LABELS",
    "EDGE_MASK",
    "FORMATS",
    "INK_LABELS",
    "INK_MASK",
    "SUPERVISION_MASK",
    "ExportWhat",
    "Format",
    "LabelKind",
    "LabelName",
    "LabelPlane",
    "annotation_plane",
    "check_output",
    "edge_mask",
    "export_source",
    "format_of",
    "import_edge_labels",
    "import_ink_labels",
    "import_mask",
    "ink_mask",
    "mapped",
    "notes_on_writing",
    "mask_plane",
    "next_version",
    "parse_label_name",
    "plane_of",
    "read_labels",
    "source_plane",
    "supervision_mask",
    "write_figure",
    "write_label_set",
    "write_label_values",
    "write_mask",
    "write_plane",
]
