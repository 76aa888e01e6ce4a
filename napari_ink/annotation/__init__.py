"""Labels that people draw: what they mean, where they are kept, and the tools that change them."""

from napari_ink.annotation.edits import Block, Change, Edit, EditHeader, Plane
from napari_ink.annotation.labels import (
    EDGE_COLOURS,
    INK_COLOURS,
    EdgeValue,
    LabelValue,
    draft_edge_labels,
    draft_ink_labels,
)
from napari_ink.annotation.project import Project, create_project, default_project_folder, is_project, open_project
from napari_ink.annotation.reading import read_label_values
from napari_ink.annotation.store import Annotation

__all__ = [
    "EDGE_COLOURS",
    "INK_COLOURS",
    "Annotation",
    "Block",
    "Change",
    "Edit",
    "EditHeader",
    "EdgeValue",
    "LabelValue",
    "Plane",
    "Project",
    "create_project",
    "default_project_folder",
    "draft_edge_labels",
    "draft_ink_labels",
    "is_project",
    "open_project",
    "read_label_values",
]
