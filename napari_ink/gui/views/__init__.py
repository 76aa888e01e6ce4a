"""The four steps of the dock: each renders the session's state, and says what its user asks for."""

from napari_ink.gui.views.correct_panel import CorrectPanel
from napari_ink.gui.views.export_panel import ExportPanel
from napari_ink.gui.views.predict_panel import PredictPanel
from napari_ink.gui.views.stack_panel import StackPanel
from napari_ink.gui.views.step_panel import StepPanel

__all__ = ["CorrectPanel", "ExportPanel", "PredictPanel", "StackPanel", "StepPanel"]
