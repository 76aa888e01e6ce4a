"""Read a prediction with zarr alone, without napari-ink: it is an OME-Zarr."""

import zarr

store = zarr.open_group("ink.zarr", mode="r")
multiscale = store.attrs["ome"]["multiscales"][0]
print([axis["name"] for axis in multiscale["axes"]], [level["path"] for level in multiscale["datasets"]])

# The first level has the exact height and width of the stack; 255 is a probability of 1.
ink, edge = store["0"][:2]
print("ink:", ink.shape, ink.dtype, "highest probability", ink.max() / 255)

# Blocks of 256 × 256 pixels that are final; a run may still be writing the others.
print("final blocks:", store["done"][:].sum())
