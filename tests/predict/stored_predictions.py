"""Stored predictions for tests of lists: small ones, made quickly, with the real writer."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.predict.storage.create import create_store
from napari_ink.predict.storage.store import CHANNELS
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tiles import block_area, blocks_in
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

SHAPE = (300, 520)  # two by three blocks


def provenance(shape: tuple[int, int] = SHAPE, region: Region | None = None, **changes: Any) -> dict[str, Any]:
    """Return the provenance of a run, with changes."""
    area = region or Region.whole(shape)
    return {
        "region": [area.y0, area.y1, area.x0, area.x1],
        "tile": [64, 64],
        "started": "2026-11-23T04:05:06+00:00",
        "model": {"name": "stand-in", "sha256": "0" * 64, "provenance": {}},
        "contract": {"direction": "as stored", "surface_offset": 0},
        "stack": {"source": "seg", "shape": [9, *shape]},
        "complete": False,
        **changes,
    }


def write_prediction(
    path: Path,
    planes: UInt8Array,
    blocks: int | None = None,
    region: Region | None = None,
    **changes: Any,
) -> Path:
    """Write a store with the planes ``(c, y, x)``, of which the first `blocks` of the region are final."""
    shape = (planes.shape[1], planes.shape[2])
    area = region or Region.whole(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    create_store(path, shape, None, provenance(shape, region, **changes), CHANNELS[: len(planes)])
    with PredictionWriter(path, area) as writer:
        for block in blocks_in(area)[:blocks]:
            writer.store({block: planes[:, *block_area(block, area).slices]})
    return path


def noise(seed: int, channels: int = 2, shape: tuple[int, int] = SHAPE) -> UInt8Array:
    """Return planes of noise without 0."""
    return np.random.default_rng(seed).integers(1, 256, (channels, *shape), dtype=np.uint8)


def files_of(store: Path) -> dict[str, bytes]:
    """Return the content of all files of a store."""
    paths = (path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): path.read_bytes() for path in paths}


def copy_of(template: Path, path: Path) -> Path:
    """Copy a store to its place at once, as `create_store` does."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.copytree(template, partial)
    partial.rename(path)
    return path
