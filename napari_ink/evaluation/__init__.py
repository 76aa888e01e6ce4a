"""Arrays in, scores out: ink and edges against what is known."""

from napari_ink.evaluation.boundary import boundary_iou
from napari_ink.evaluation.edges import EdgeScores, edge_crops, edge_scores
from napari_ink.evaluation.ink import InkScores, ink_scores
from napari_ink.evaluation.matching import match_one_to_one
from napari_ink.evaluation.thinning import label_edges, suppress_non_maxima

__all__ = [
    "EdgeScores",
    "InkScores",
    "boundary_iou",
    "edge_crops",
    "edge_scores",
    "ink_scores",
    "label_edges",
    "match_one_to_one",
    "suppress_non_maxima",
]
