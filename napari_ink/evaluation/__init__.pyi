from .boundary import boundary_iou
from .edges import EdgeScores, edge_crops, edge_scores
from .ink import InkScores, ink_scores
from .matching import match_one_to_one
from .thinning import label_edges, suppress_non_maxima

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
