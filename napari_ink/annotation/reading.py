"""What reads label images, for rooms that know labels but no stacks."""

from napari_ink.stack import SURFACE_Z, open_numpy, open_zarr_plane, opened_plane

__all__ = ["SURFACE_Z", "open_numpy", "open_zarr_plane", "opened_plane"]
