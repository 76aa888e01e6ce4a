"""Label images on disk."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.annotation.labels import LabelValue
from napari_ink.errors import LabelError
from napari_ink.stack import read_plane


def read_label_image(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read a grey PNG or TIFF image ``(y, x)`` of labels or a mask as it is.

    Raises
    ------
    LabelError
        If there is none, or it is not a grey image of whole numbers.
    """
    return read_plane(path)


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
