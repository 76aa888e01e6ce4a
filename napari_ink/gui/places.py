"""Where predictions are kept: in the folder of the segment's project."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def new_prediction_path(project: Path, model_name: str, now: datetime) -> Path:
    """Choose a name that is not taken yet for a prediction store, and make its folder.

    Parameters
    ----------
    project
        The folder of the segment's project; it need not be there yet.
    model_name
        Stands in the name.
    now
        Stands in the name.
    """
    folder = project / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{model_name}-{now:%Y%m%d-%H%M%S}"
    path, again = folder / f"{stem}.zarr", 2
    while path.exists():
        path, again = folder / f"{stem}-{again}.zarr", again + 1
    return path
