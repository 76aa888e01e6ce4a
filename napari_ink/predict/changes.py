"""Whether a stack may have changed since a run began, where its fingerprint, a sample of voxels, does not tell."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from napari_ink.stack import DepthStack

# A run's beginning is recorded in whole seconds.
_SLACK_S = 1


def written_since(stack: DepthStack, begun: str) -> str | None:
    """Return a file of a stack that was written after a run began; None where there is none, or nobody can tell.

    Parameters
    ----------
    stack
        The stack; of a Zarr only what lies at its top is looked at, of an address nothing.
    begun
        When, in ISO 8601.
    """
    source = stack.source
    if not isinstance(source, Path):
        return None
    files = (one for one in source.iterdir() if one.is_file()) if source.is_dir() else (source,)
    newest = max(files, key=lambda one: one.stat().st_mtime, default=None)
    is_newer = newest is not None and newest.stat().st_mtime > datetime.fromisoformat(begun).timestamp() + _SLACK_S
    return newest.name if newest is not None and is_newer else None
