"""Phantoms on disk in the layout of the scrolls' segments, and the sample that comes with the package."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_ink.durable import replacing
from napari_ink.errors import OutputError, StackError, storage_errors
from napari_ink.phantom.volume import Phantom
from napari_ink.phantom.worlds.frame import WorldPhantom

SAMPLE_NAME = "phantom-7"
NOTE = "A simulation made by napari-ink from a seed, not a scan: its letters are random and its ink is known."


def write_segment(phantom: Phantom | WorldPhantom, folder: str | os.PathLike[str]) -> Path:
    """Write a phantom as a segment folder, which gets its final name only when complete.

    The folder holds ``layers/00.tif …`` (deflate), ``<name>_mask.png``, ``<name>_inklabels.png`` and
    ``meta.json`` with the voxel size and all parameters. If only a part was reviewed, it also holds
    ``<name>_supervision_mask.png``; if the labels differ from the true ink, ``<name>_truth.png``.

    Raises
    ------
    OutputError
        If the folder exists or cannot be written.
    """
    folder = Path(folder).absolute()
    if folder.exists():
        raise OutputError(f"{folder} exists already; choose another name or remove it.")
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing(folder) as partial:
        (partial / "layers").mkdir(parents=True)
        _write_layers(phantom.volume, partial / "layers")
        _write_plane(phantom.mask, partial / f"{folder.name}_mask.png")
        _write_plane(phantom.drawn, partial / f"{folder.name}_inklabels.png")
        if phantom.config.reviewed < 1:
            _write_plane(phantom.reviewed, partial / f"{folder.name}_supervision_mask.png")
        if not np.array_equal(phantom.drawn, phantom.ink):
            _write_plane(phantom.ink, partial / f"{folder.name}_truth.png")
        (partial / "meta.json").write_text(json.dumps(_meta(phantom, folder.name), indent=2) + "\n")
    return folder


def _write_layers(volume: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], folder: Path) -> None:
    digits = max(2, len(str(len(volume) - 1)))
    for z, layer in enumerate(volume):
        path = folder / f"{z:0{digits}d}.tif"
        tifffile.imwrite(path, layer, compression="zlib", compressionargs={"level": 9}, predictor=True, rowsperstrip=64)


def _write_plane(plane: npt.NDArray[np.bool_], path: Path) -> None:
    Image.fromarray(plane.astype(np.uint8) * 255).save(path, optimize=True)


def _meta(phantom: Phantom | WorldPhantom, name: str) -> dict[str, object]:
    depth, height, width = phantom.volume.shape
    return {
        "name": name,
        "type": "seg",
        "voxelsize": phantom.config.voxel_size_um,
        "slices": depth,
        "height": height,
        "width": width,
        "note": NOTE,
        "phantom": phantom.config.model_dump(),
    }


def sample_path() -> Path:
    """Return the sample segment's folder: in the installed package, or in the checkout that it runs from.

    Raises
    ------
    StackError
        If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for home in (package / "sample_data", package.parent / "sample_data"):
        if (home / SAMPLE_NAME).is_dir():
            return home / SAMPLE_NAME
    raise StackError(f"The sample segment {SAMPLE_NAME} is not installed; reinstall napari-ink.")
