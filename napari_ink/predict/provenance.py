"""Where a prediction comes from: enough to make it again, kept in the store itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

import napari_ink
from napari_ink.model import InkModel
from napari_ink.predict.region import Region
from napari_ink.stack import DepthStack

MUST_AGREE: dict[str, tuple[str, ...]] = {
    "stack": ("stack", "fingerprint"),
    "model": ("model", "sha256"),
    "input contract": ("contract",),
    "region": ("region",),
    "mask": ("mask_sha256",),
    "overlap": ("overlap",),
}
"""What a run that goes on with a store must have in common with the one that began it."""


def describe_run(
    stack: DepthStack,
    model: InkModel,
    region: Region,
    mask: npt.NDArray[np.bool_] | None,
    overlap: float,
    tile: tuple[int, int],
    device: str,
) -> dict[str, Any]:
    """Return, as JSON values, what a prediction is made from and how."""
    import torch

    window = model.contract.z_window(stack.shape[0])
    return {
        "version": napari_ink.__version__,
        "torch": torch.__version__,
        "model": {
            "name": model.name,
            "sha256": model.sha256,
            "predicts_edges": model.predicts_edges,
            "provenance": dict(model.provenance),
        },
        "contract": model.contract.model_dump(mode="json"),
        "asked_instead_of": dict(model.asked or {}),
        "stack": {
            "source": str(stack.source),
            "name": stack.name,
            "fingerprint": stack.fingerprint(),
            "shape": list(stack.shape),
            "dtype": stack.dtype.name,
            "voxel_size_um": stack.voxel_size_um,
        },
        "region": [region.y0, region.y1, region.x0, region.x1],
        "mask_sha256": None if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest(),
        "z_window": [window.start, window.stop],
        "direction": model.contract.direction,
        "device": device,
        "precision": "float32",
        "overlap": overlap,
        "tile": list(tile),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
    }
