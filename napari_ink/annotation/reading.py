"""Readers of label images, offered here for packages that may import annotation but not stack."""

from napari_ink.stack import SURFACE_Z, open_numpy, open_zarr_plane, opened_plane

__all__ = ["SURFACE_Z", "open_numpy", "open_zarr_plane", "opened_plane"]
