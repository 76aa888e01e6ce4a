from .correct_panel import CorrectPanel
from .export_panel import ExportPanel
from .learn_panel import LearnPanel
from .predict_panel import PredictPanel
from .stack_panel import StackPanel
from .step_panel import StepPanel

__all__ = ["CorrectPanel", "ExportPanel", "LearnPanel", "PredictPanel", "StackPanel", "StepPanel"]
