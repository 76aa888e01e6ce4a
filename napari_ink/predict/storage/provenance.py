"""The provenance of a prediction: everything needed to repeat it, stored with the prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_ink
from napari_ink.errors import StackError
from napari_ink.model import InkModel
from napari_ink.predict.resampling import source_in_words
from napari_ink.predict.tiles import BLOCK
from napari_ink.region import Region
from napari_ink.stack import DepthStack, SegmentMask

if TYPE_CHECKING:
    from napari_ink.predict.precision import NumberFormat
    from napari_ink.predict.request import PredictRequest


MUST_AGREE: dict[str, tuple[str, ...]] = {
    "stack": ("stack", "fingerprint"),
    "model": ("model", "sha256"),
    "input contract": ("contract",),
    "grey range": ("contract", "grey_range"),
    "window of layers": ("z_window",),
    "set of further models": ("others",),
    "augmentation": ("augment",),
    "region": ("region",),
    "mask": ("mask_sha256",),
    "resampling": ("contract", "mean_of"),
    "overlap": ("overlap",),
    "tile size": ("tile",),
    "precision": ("precision",),
    "set of planes": ("planes",),
}
"""Properties, with their keys, in which a run that resumes a store must agree with the run that began it."""

MAY_DIFFER = ("version", "torch", "device", "batch_size", "started")
"""Properties that may differ; they are recorded for each run that resumes a store."""


def describe_run(
    request: PredictRequest,
    region: Region,
    mask: SegmentMask | None,
    tile: tuple[int, int],
    batch_size: int,
    device: str,
    tile_asked: int | None,
    number_format: NumberFormat,
) -> dict[str, Any]:
    """Return the provenance of a run as JSON values: what it reads, with which model and settings."""
    import torch

    stack, model = request.stack, request.model
    means_from = source_in_words(model.contract, stack)
    return {
        "version": napari_ink.__version__,
        "torch": torch.__version__,
        "model": _described(model),
        "contract": model.contract.model_dump(mode="json"),
        "asked_instead_of": dict(model.asked or {}),
        "others": [
            {
                **_described(other),
                "contract": other.contract.model_dump(mode="json"),
                "asked_instead_of": dict(other.asked or {}),
                "z_window": _z_window(other, stack.shape[0]),
            }
            for other in request.others
        ],
        "augment": list(request.augment),
        "stack": {
            **describe_stack(stack),
            **({} if stack.layer_step_um is None else {"layer_step_um": stack.layer_step_um}),
            **({} if not means_from else {"means_read_from": means_from}),
        },
        "region": [region.y0, region.y1, region.x0, region.x1],
        "mask": None if request.mask_source is None else str(request.mask_source.absolute()),
        "mask_sha256": None if mask is None else _hash_of(mask),
        "z_window": _z_window(model, stack.shape[0]),
        "direction": model.contract.direction,
        "device": device,
        "precision": number_format,
        "overlap": request.overlap,
        "tile": list(tile),
        "tile_asked": tile_asked,
        "batch_size": batch_size,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
    }


def _hash_of(mask: SegmentMask) -> str:
    """Return the SHA-256 of a mask's bits, row by row."""
    digest = hashlib.sha256()
    # Strips of a multiple of 8 rows end at a whole byte, so that the hash is that of the whole mask packed at once.
    for top in range(0, mask.shape[0], BLOCK):
        digest.update(np.packbits(mask[top : top + BLOCK, :]).tobytes())
    return digest.hexdigest()


def describe_stack(stack: DepthStack) -> dict[str, Any]:
    """Return what identifies a stack as JSON values."""
    return {
        "source": str(stack.source),
        "name": stack.name,
        "fingerprint": stack.fingerprint(),
        "shape": list(stack.shape),
        "dtype": stack.dtype.name,
        "voxel_size_um": stack.voxel_size_um,
    }


def is_of_stack(provenance: Mapping[str, Any], stack: DepthStack) -> bool:
    """Return whether a prediction was computed from a stack or a copy of it, or may have been as nothing tells."""
    recorded = provenance["stack"].get("fingerprint")
    if recorded is None:
        return True
    try:
        return bool(recorded == stack.fingerprint())
    except StackError:
        # A damaged layer must not hide what was predicted when it was whole.
        return True


def _described(model: InkModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "source": None if model.source is None else str(model.source),
        "sha256": model.sha256,
        "predicts_edges": model.predicts_edges,
        "provenance": dict(model.provenance),
    }


def _z_window(model: InkModel, depth: int) -> list[int]:
    window = model.contract.z_window(depth)
    return [window.start, window.stop]


def describe_resumption(now: Mapping[str, Any], written_since: str | None) -> dict[str, Any]:
    """Return the record of a run that resumes a store, as JSON values: the properties that may differ.

    Parameters
    ----------
    now
        Provenance of the run that resumes, from `describe_run`.
    written_since
        Name of a file of the stack that was written after the first run began, or None.
    """
    return {**{name: now[name] for name in MAY_DIFFER}, "written_since": written_since}


# Start times are recorded in whole seconds.
_SLACK_S = 1


def written_since(stack: DepthStack, begun: str) -> str | None:
    """Return the name of a file of a stack that was written after a run began; None if there is none or it is unknown.

    Parameters
    ----------
    stack
        The stack; only the top folder of a Zarr store is checked, and nothing of a remote address.
    begun
        Time at which the run began, in ISO 8601.
    """
    source = stack.source
    if not isinstance(source, Path):
        return None
    files = (one for one in source.iterdir() if one.is_file()) if source.is_dir() else (source,)
    newest = max(files, key=lambda one: one.stat().st_mtime, default=None)
    is_newer = newest is not None and newest.stat().st_mtime > datetime.fromisoformat(begun).timestamp() + _SLACK_S
    return newest.name if newest is not None and is_newer else None
