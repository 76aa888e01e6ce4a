"""Labels that people draw: what they mean, where they are kept, and the tools that change them."""

from napari_ink.annotation.edge_brush import barrier_of, reach
from napari_ink.annotation.edge_cost import cost_of_image, cost_of_probability
from napari_ink.annotation.edits import Block, Change, Edit, EditHeader, Plane
from napari_ink.annotation.fragments import fragment_at, gaps, nearest_end, short_fragments
from napari_ink.annotation.growing import enclosed, grow
from napari_ink.annotation.labels import (
    EDGE_COLOURS,
    INK_COLOURS,
    EdgeValue,
    LabelValue,
    draft_edge_labels,
    draft_ink_labels,
)
from napari_ink.annotation.livewire import Livewire, region_inside, straight_path
from napari_ink.annotation.notes import Note
from napari_ink.annotation.outlines import edges_from_ink, ink_from_edges
from napari_ink.annotation.project import (
    Project,
    create_project,
    default_project_folder,
    is_project,
    labels_of_project,
    open_project,
)
from napari_ink.annotation.queue import RegionScore, rank, score_regions, seconds_left
from napari_ink.annotation.review import (
    Region,
    ReviewState,
    labels_to_learn_from,
    region_at,
    region_bounds,
    supervision,
)
from napari_ink.annotation.similar import Candidate, SearchProgress, find_similar
from napari_ink.annotation.snapping import snap
from napari_ink.annotation.statistics import Statistics, statistics
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
    "barrier_of",
    "reach",
    "cost_of_image",
    "cost_of_probability",
    "fragment_at",
    "gaps",
    "nearest_end",
    "short_fragments",
    "enclosed",
    "grow",
    "Livewire",
    "region_inside",
    "straight_path",
    "edges_from_ink",
    "ink_from_edges",
    "snap",
    "Candidate",
    "Note",
    "SearchProgress",
    "find_similar",
    "Region",
    "RegionScore",
    "ReviewState",
    "Statistics",
    "labels_of_project",
    "labels_to_learn_from",
    "rank",
    "region_at",
    "region_bounds",
    "score_regions",
    "seconds_left",
    "statistics",
    "supervision",
]
