"""Models: what the window shows, as frozen values; no Qt, no napari."""
