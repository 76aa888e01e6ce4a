"""Where a prediction comes from: enough to make it again, kept in the store itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_ink
from napari_ink.model import InkModel
from napari_ink.predict.region import Region

if TYPE_CHECKING:
    from napari_ink.predict.request import PredictRequest

MUST_AGREE: dict[str, tuple[str, ...]] = {
    "stack": ("stack", "fingerprint"),
    "model": ("model", "sha256"),
    "input contract": ("contract",),
    "set of further models": ("others",),
    "augmentation": ("augment",),
    "region": ("region",),
    "mask": ("mask_sha256",),
    "overlap": ("overlap",),
    "tile size": ("tile",),
}
"""What a run that goes on with a store must have in common with the one that began it."""


def describe_run(
    request: PredictRequest,
    region: Region,
    mask: npt.NDArray[np.bool_] | None,
    tile: tuple[int, int],
    batch_size: int,
    device: str,
) -> dict[str, Any]:
    """Return, as JSON values, what a prediction is made from and how."""
    import torch

    stack, model = request.stack, request.model
    window = model.contract.z_window(stack.shape[0])
    return {
        "version": napari_ink.__version__,
        "torch": torch.__version__,
        "model": {**_described(model), "predicts_edges": model.predicts_edges},
        "contract": model.contract.model_dump(mode="json"),
        "asked_instead_of": dict(model.asked or {}),
        "others": [
            {**_described(other), "contract": other.contract.model_dump(mode="json")} for other in request.others
        ],
        "augment": list(request.augment),
        "stack": {
            "source": str(stack.source),
            "name": stack.name,
            "fingerprint": stack.fingerprint(),
            "shape": list(stack.shape),
            "dtype": stack.dtype.name,
            "voxel_size_um": stack.voxel_size_um,
        },
        "region": [region.y0, region.y1, region.x0, region.x1],
        "mask": None if request.mask_source is None else str(request.mask_source.absolute()),
        "mask_sha256": None if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest(),
        "z_window": [window.start, window.stop],
        "direction": model.contract.direction,
        "device": device,
        "precision": "float32",
        "overlap": request.overlap,
        "tile": list(tile),
        "batch_size": batch_size,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
    }


def _described(model: InkModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "source": None if model.source is None else str(model.source),
        "sha256": model.sha256,
        "provenance": dict(model.provenance),
    }
