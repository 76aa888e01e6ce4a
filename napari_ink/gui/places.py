"""Where predictions are kept: in the segment's project folder, or in the user's cache if that cannot be written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from napari_ink.annotation import default_project_folder
from napari_ink.stack import DepthStack


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
    folder = default_project_folder(stack, keep_apart) / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{model_name}-{now:%Y%m%d-%H%M%S}"
    path, again = folder / f"{stem}.zarr", 2
    while path.exists():
        path, again = folder / f"{stem}-{again}.zarr", again + 1
    return path
