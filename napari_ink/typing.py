"""Type aliases that several packages share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
LabelKind = Literal["ink", "edge"]
ThirdPlane = Literal["disagreement", "depth"]
ExportWhat = Literal["ink", "edges", "labels", "supervision"]
