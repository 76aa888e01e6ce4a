"""Open a depth stack, look at what it is, and read parts of it."""

from napari_ink.phantom import sample_path
from napari_ink.stack import open_stack

# A folder of layers, a Zarr, a multi-page TIFF, an address …: opening reads headers only.
stack = open_stack(sample_path())
print(stack.name, stack.format, stack.shape, stack.dtype, stack.voxel_size_um)

# A stack slices like an array, (z, y, x), and reads only what an index asks for.
surface = stack[stack.surface_z, 100:300, 100:300]
print("the surface layer:", surface.shape, surface.min(), surface.max())

# The maximum over nine layers around the surface.
layers = slice(stack.surface_z - 4, stack.surface_z + 5)
flat = stack.project(layers, "max", slice(100, 300), slice(100, 300))
print("a projection:", flat.shape, flat.dtype)
