"""Layers: the only place that adds, updates and reads napari's layers."""
