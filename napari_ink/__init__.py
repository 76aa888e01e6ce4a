"""Read ink in CT scans of carbonised papyri: view, predict, correct and export, in napari or from a command line."""

__version__ = "0.2.0"
