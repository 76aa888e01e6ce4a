"""Where predictions are kept: in the segment's project folder, or in the user's cache if that cannot be written."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from platformdirs import user_cache_path

from napari_ink.stack import LAYER_FOLDERS, DepthStack


def project_folder(stack: DepthStack) -> Path:
    """Return ``<segment>.ink`` beside the segment that a stack belongs to."""
    source = stack.source
    if source.is_dir() and source.name in LAYER_FOLDERS:
        source = source.parent
    return source.parent / f"{stack.name}.ink"


def new_prediction_path(stack: DepthStack, model_name: str, now: datetime, keep_apart: Path | None = None) -> Path:
    """Choose a name that is not taken yet for a prediction store, and make its folder.

    Parameters
    ----------
    stack
        The stack to be predicted.
    model_name
        Stands in the name.
    now
        Stands in the name.
    keep_apart
        A folder that nothing may be written into (the shipped sample's): stacks in it go to the cache.
    """
    folder = project_folder(stack) / "predictions"
    apart = keep_apart is not None and stack.source.is_relative_to(keep_apart)
    if apart or not _can_make(folder):
        folder = user_cache_path("napari-ink") / f"{stack.name}.ink" / "predictions"
        folder.mkdir(parents=True, exist_ok=True)
    stem = f"{model_name}-{now:%Y%m%d-%H%M%S}"
    path, again = folder / f"{stem}.zarr", 2
    while path.exists():
        path, again = folder / f"{stem}-{again}.zarr", again + 1
    return path


def _can_make(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
