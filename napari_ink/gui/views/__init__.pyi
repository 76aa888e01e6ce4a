from .correct_panel import CorrectPanel
from .export_panel import ExportPanel
from .learn_panel import LearnPanel
from .legend import Legend
from .predict_panel import PredictPanel
from .review_panel import ReviewPanel
from .stack_panel import StackPanel
from .status_area import StatusArea
from .step_bar import StepBar
from .step_panel import StepPanel

__all__ = [
    "CorrectPanel",
    "ExportPanel",
    "LearnPanel",
    "Legend",
    "PredictPanel",
    "ReviewPanel",
    "StackPanel",
    "StatusArea",
    "StepBar",
    "StepPanel",
]
