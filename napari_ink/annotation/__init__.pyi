from .edge_tools.edge_brush import barrier_of, reach
from .edge_tools.edge_cost import cost_of_image, cost_of_probability, snap
from .edge_tools.fragments import fragment_at, gaps, nearest_end, short_fragments
from .edge_tools.growing import enclosed, grow
from .edge_tools.livewire import Livewire, region_inside, straight_path
from .edge_tools.outlines import edges_from_ink, ink_from_edges
from .labels import (
    DRAFT,
    EDGE_COLOURS,
    INK_COLOURS,
    EdgeValue,
    LabelValue,
    draft_edge_labels,
    draft_ink_labels,
)
from .project import (
    SUFFIX,
    Project,
    create_project,
    default_project_folder,
    is_project,
    labels_of_project,
    open_project,
)
from .review.notes import Note
from .review.ranking import RegionScore, rank, score_regions, seconds_left
from .review.review import (
    ReviewCell,
    ReviewState,
    cell_at,
    cell_bounds,
    labels_to_learn_from,
    supervision,
)
from .review.statistics import Statistics, statistics
from .review.variety import varied
from .similar import Candidate, SearchProgress, find_similar, is_known
from .store.edits import Block, Change, Edit, EditHeader, Plane
from .store.store import Annotation, StepKind

__all__ = [
    "DRAFT",
    "EDGE_COLOURS",
    "INK_COLOURS",
    "SUFFIX",
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
    "is_known",
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
    "ReviewCell",
    "RegionScore",
    "ReviewState",
    "Statistics",
    "StepKind",
    "labels_of_project",
    "labels_to_learn_from",
    "rank",
    "cell_at",
    "cell_bounds",
    "score_regions",
    "seconds_left",
    "statistics",
    "supervision",
    "varied",
]
