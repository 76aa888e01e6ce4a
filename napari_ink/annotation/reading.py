"""Label images on disk: what reads them and decides what they mean, for rooms that know labels but no stacks."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from napari_ink.annotation.labels import LabelValue
from napari_ink.errors import LabelError
from napari_ink.stack import (
    HALF,
    LABELS_KEY,
    LABELS_TEXT,
    Samples,
    bits_of,
    meaning_of,
    open_numpy,
    opened_plane,
    read_plane,
    values_of,
)

__all__ = [
    "HALF",
    "LABELS_KEY",
    "LABELS_TEXT",
    "Samples",
    "bits_of",
    "meaning_of",
    "open_numpy",
    "opened_plane",
    "read_label_values",
    "values_of",
]


def read_label_values(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read an image of label values ``(y, x)``.

    Raises
    ------
    LabelError
        If it cannot be read, or holds other values than labels have.
    """
    labels = read_plane(path)
    if labels.size and (labels.min() < 0 or labels.max() > max(LabelValue)):
        raise LabelError(
            f"{path} holds values of {labels.min()} to {labels.max()}, and labels are 0, 1 and 2; "
            "name a prediction store or an image of label values."
        )
    return labels.astype(np.uint8)
