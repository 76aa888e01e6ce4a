"""What reads label images and decides what they mean, for rooms that know labels but no stacks."""

from napari_ink.stack import (
    EDGE_LABELS,
    HALF,
    INK_LABELS,
    LABELS_KEY,
    LABELS_TEXT,
    SURFACE_Z,
    Samples,
    bits_of,
    meaning_of,
    open_numpy,
    open_zarr_plane,
    opened_plane,
    values_of,
)

__all__ = [
    "EDGE_LABELS",
    "HALF",
    "INK_LABELS",
    "LABELS_KEY",
    "LABELS_TEXT",
    "SURFACE_Z",
    "Samples",
    "bits_of",
    "meaning_of",
    "open_numpy",
    "open_zarr_plane",
    "opened_plane",
    "values_of",
]
