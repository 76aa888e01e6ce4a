"""Models: frozen values that the window shows; without Qt or napari."""
