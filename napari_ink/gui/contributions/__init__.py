"""Contributions of the manifest to napari: readers, writers, commands and the sample."""
