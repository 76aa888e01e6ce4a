"""The four steps of the dock: each renders the session's state, and says what its user asks for."""

from napari_ink.gui.panels.correct import CorrectPanel
from napari_ink.gui.panels.export import ExportPanel
from napari_ink.gui.panels.predict import PredictPanel
from napari_ink.gui.panels.stack import StackPanel
from napari_ink.gui.panels.step import StepPanel

__all__ = ["CorrectPanel", "ExportPanel", "PredictPanel", "StackPanel", "StepPanel"]
