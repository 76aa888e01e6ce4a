"""The camera of a viewer, wherever this version of napari keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.viewer import Viewer


def camera_of(viewer: Viewer) -> Any:
    """Return what says where the view is and how much it is enlarged."""
    # Since napari 0.9 it belongs to the scene.
    return (viewer.scene if hasattr(viewer, "scene") else viewer).camera
