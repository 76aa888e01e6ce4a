"""Zarr that others wrote, read safely: sound files only, chunks of a bounded size, whatever their names' separator.

Importing this imports zarr, which takes its time: import it where it is used.
"""

from napari_ink.zarr_reading.arrays import child_names, chunks_stored, has_chunks, naming, open_node, sound_array

__all__ = ["child_names", "chunks_stored", "has_chunks", "naming", "open_node", "sound_array"]
