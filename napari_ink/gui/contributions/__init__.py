"""What the manifest offers napari: readers, writers and the sample."""
