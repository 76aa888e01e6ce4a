"""Maps of ink that other programs made, stored as predictions, so that they can be shown, compared and exported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import napari_ink
from napari_ink.errors import BadInputError
from napari_ink.predict.storage.create import create_store
from napari_ink.predict.storage.provenance import describe_stack
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tiles import block_area, blocks_in
from napari_ink.region import Region
from napari_ink.stack import DepthStack, opened_plane

FORMAT = "map of another program"
_LONGEST = 200
_LARGEST_SIDE = 2**16


def store_map(path: Path, stack: DepthStack, out: Path, record: Mapping[str, Any] | None = None) -> Path:
    """Store a map of ink as a complete prediction, a row of blocks at a time, and return its path.

    Parameters
    ----------
    path
        Image of uint8 in the stack's size, 255 for a probability of 1.
    stack
        Depth stack that it is of.
    out
        The prediction store to write.
    record
        What the map's file says about its making; None if it says nothing.

    Raises
    ------
    BadInputError
        If the image is no map of that stack, or the store cannot be written.
    """
    import numpy as np

    shape = stack.shape[1:]
    with opened_plane(path) as image:
        if image.shape != shape:
            raise BadInputError(
                f"{path} is {image.shape[0]} × {image.shape[1]} pixels and the stack {shape[0]} × {shape[1]}; "
                "give the stack that the map was made from."
            )
        if image.dtype != np.uint8:
            raise BadInputError(f"{path} holds {image.dtype} values; save the map as 8 bits, 255 for certain ink.")
        region = Region.whole(shape)
        provenance = _provenance(path, stack, region, record or {})
        out = out.absolute()
        create_store(out, shape, stack.voxel_size_um, provenance, ("ink", "edge"))
        with PredictionWriter(out, region) as writer:
            for block in blocks_in(region):
                area = block_area(block, region)
                levels = np.zeros((2, *area.shape), np.uint8)
                levels[0] = image.read(area.slices[0])[:, area.slices[1]]
                writer.store({block: levels})
            writer.finish()
    return out


def _provenance(path: Path, stack: DepthStack, region: Region, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a store, with as much of the map's own as is understood."""
    run, checkpoint = (one if isinstance(one := record.get(name), Mapping) else {} for name in ("run", "checkpoint"))
    is_reversed = run.get("direction") == "reverse"
    layers = [z for z in _whole(run.get("layer_indices")) if 0 <= z < stack.shape[0]]
    tile = run.get("patch_size")
    side = tile if isinstance(tile, int) and 0 < tile <= _LARGEST_SIDE else 1
    digest = checkpoint.get("sha256")
    return {
        "version": napari_ink.__version__,
        "torch": _text(run.get("torch_version")),
        "model": {
            "name": _text(checkpoint.get("name")) or path.stem,
            "source": None,
            "sha256": _text(digest) or None,
            "predicts_edges": False,
            "provenance": {
                "format": FORMAT,
                "file": str(path.absolute()),
                **({"record": dict(record)} if record else {}),
            },
        },
        "contract": {"direction": "reversed" if is_reversed else "as stored", "surface_offset": 0},
        "asked_instead_of": {},
        "others": [],
        "augment": [],
        "stack": describe_stack(stack),
        "region": [region.y0, region.y1, region.x0, region.x1],
        "mask": None,
        "mask_sha256": None,
        "z_window": [min(layers), max(layers) + 1] if layers else [0, stack.shape[0]],
        "direction": "reversed" if is_reversed else "as stored",
        "device": None,
        "precision": "float32",
        "overlap": 0.0,
        "tile": [side, side],
        "tile_asked": None,
        "batch_size": 1,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
    }


def _whole(values: object) -> list[int]:
    return [one for one in values if isinstance(one, int)] if isinstance(values, list) else []


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
