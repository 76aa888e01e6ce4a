"""State of the window: one frozen value that controllers replace and views render."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from napari_ink.gui.models.actions import Action, ToolSettings
from napari_ink.gui.models.predictions import PredictionsStatus
from napari_ink.gui.models.status import (
    ConversionStatus,
    LabelCounts,
    LiveStatus,
    ProjectionStatus,
    ReviewStatus,
    RunProgress,
    SearchStatus,
    StorageStatus,
    TeachingStatus,
)
from napari_ink.stack import DepthStack
from napari_ink.typing import ExportWhat as ExportWhat

ExportFrom = Literal["labels", "prediction"]


class Step(StrEnum):
    """Steps of the work, in their order."""

    STACK = "Stack"
    PREDICT = "Predict"
    CORRECT = "Correct"
    LEARN = "Learn"
    REVIEW = "Review"
    EXPORT = "Export"


_PREDICTION_FIRST = "Wait for the prediction, or cancel it: learning needs the processor, too."


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """Settings of a figure.

    Attributes
    ----------
    least_px
        Least number of pixels of its longest side.
    dpi
        Resolution that the file records, in pixels per inch.
    bar_mm
        Length of the scale bar; None for a round length.
    """

    least_px: int = 2400
    dpi: int = 300
    bar_mm: float | None = None


@dataclass(frozen=True, slots=True)
class InkState:
    """Everything that the panels render.

    Attributes
    ----------
    stack
        Open stack; None before one is opened.
    mask
        Path of the papyrus mask beside the stack; None if there is none.
    busy
        Description of the short job that is running; empty if none is.
    run
        Progress of the running prediction; None if none is running.
    missing_devices
        Name of each device that this machine does not have, and the reason.
    device_line, notes, outcome
        Sentences on the last prediction: its device, what it read, and how it ended.
    doubts
        Sentences on why the map of the prediction in use may be wrong.
    prediction
        Store of the prediction in use, which may still be growing.
    predictions
        List of the predictions of the segment, with their trash.
    has_prediction
        Whether there is a predicted overlay.
    is_prediction_hidden
        Whether its layers are hidden.
    can_continue
        Whether the prediction was stopped early and can be resumed.
    ink_threshold, edge_threshold
        Thresholds of the predicted ink and edges, 0…1.
    labels
        Whether editable layers exist.
    labels_edited
        Whether the user has changed the labels.
    tool, tool_hint
        Name of the active tool, and instructions for it.
    tool_settings
        Settings of the active tool.
    counts
        Number of pixels of each label.
    storage
        Storage of the labels, whether all changes are saved, and the next undo step.
    review
        Progress of the review.
    similar
        Progress and candidates of the search for similar strokes.
    teaching, live
        Progress of teaching with the taught models, and the live mode.
    versions
        Names of the saved versions of the labels, oldest first.
    compared
        What the labels are compared with: ``prediction`` or the name of a version; empty without a comparison.
    projection
        Settings of the projection, and whether it is shown.
    missing
        Description of the missing parts of the stack; empty if there are none.
    reading_error
        First error in reading the stack since it was opened; unlike a message, no success clears it.
    is_sampled
        Whether part of the picture of the stack is interpolated from a sample of its chunks, until the whole is read.
    grey_note, suggested_greys
        Sentence on a problem with the stack's grey values, and a grey range that would fit.
    conversion
        Progress of the conversion of the stack.
    predicted_count
        Prediction, what was counted in it (``"ink"`` or ``"edges"``), its threshold, and the number of pixels.
    exported
        Path of the last export.
    import_notes
        Sentences on the last import of labels, such as which parts of the file were left out.
    messages
        Error or hint of each step, in whole sentences; it stays until an action of the step succeeds.
    """

    stack: DepthStack | None = None
    mask: Path | None = None
    busy: str = ""
    run: RunProgress | None = None
    device_line: str = ""
    missing_devices: tuple[tuple[str, str], ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outcome: str = ""
    prediction: Path | None = None
    predictions: PredictionsStatus = PredictionsStatus()
    has_prediction: bool = False
    is_prediction_hidden: bool = False
    can_continue: bool = False
    ink_threshold: float = 0.5
    edge_threshold: float = 0.5
    labels: bool = False
    labels_edited: bool = False
    tool: str = ""
    tool_hint: str = ""
    tool_settings: ToolSettings = ToolSettings()
    counts: LabelCounts = LabelCounts()
    storage: StorageStatus = StorageStatus()
    review: ReviewStatus = ReviewStatus()
    similar: SearchStatus = SearchStatus()
    teaching: TeachingStatus = TeachingStatus()
    live: LiveStatus = LiveStatus()
    versions: tuple[str, ...] = ()
    compared: str = ""
    projection: ProjectionStatus = ProjectionStatus()
    missing: str = ""
    reading_error: str = ""
    is_sampled: bool = False
    grey_note: str = ""
    suggested_greys: tuple[int, int] | None = None
    conversion: ConversionStatus = ConversionStatus()
    predicted_count: tuple[Path | None, str, float, int] | None = None
    exported: str = ""
    import_notes: tuple[str, ...] = ()
    messages: tuple[tuple[Step, str], ...] = ()

    @property
    def current_step(self) -> Step:
        """Step that the user should do next."""
        if self.stack is None:
            return Step.STACK
        if self.run is not None or not (self.has_prediction or self.labels):
            return Step.PREDICT
        return Step.EXPORT if self.exported else Step.CORRECT

    def message(self, step: Step) -> str:
        """Return the message of a step; empty if there is none."""
        return dict(self.messages).get(step, "")

    def is_progress_since(self, before: InkState) -> bool:
        """Whether only the progress of the prediction has changed since an earlier state."""
        if self.run is None or before.run is None:
            return False
        run = replace(before.run, done=self.run.done, seconds_left=self.run.seconds_left)
        return self.run == run and self == replace(before, run=self.run)

    def is_done(self, step: Step) -> bool:
        """Whether a step has a result."""
        return {
            Step.STACK: self.stack is not None,
            Step.PREDICT: self.has_prediction and self.run is None,
            Step.CORRECT: self.labels_edited,
            Step.LEARN: bool(self.teaching.rows),
            Step.REVIEW: bool(self.review.reviewed or self.review.flagged),
            Step.EXPORT: bool(self.exported),
        }[step]

    def why_no_action(self, action: Action) -> str:
        """Return the reason why an action is not possible yet; empty if it is."""
        if action.name == "help":
            return ""
        if self.stack is None:
            return "Open a stack first."
        if action.name in ("blink_prediction", "swap") and not self.has_prediction:
            return "There is no prediction yet; run one in the step Predict."
        if action.name == "flicker" and self.predictions.compared is None:
            return "There is nothing to alternate with; choose Compare in the list of predictions in the step Predict."
        if action.needs_labels and not self.labels:
            return "There are no labels yet; make them in the step Correct."
        return ""

    def why_not(self, step: Step) -> str:
        """Return the reason why a step is not possible yet; empty if it is."""
        if step is Step.STACK:
            return "To open another stack, wait for the prediction or cancel it." if self.run else ""
        if self.stack is None:
            return "Open a stack first."
        if step is Step.PREDICT or self.labels:
            return ""
        if self.run is not None:
            return "Wait for the prediction, or cancel it."
        if step is Step.LEARN:
            return "Make labels in the step Correct first; models are kept beside them."
        if step is Step.REVIEW:
            return "Make labels in the step Correct first; a review goes through them."
        if step is Step.EXPORT and not self.has_prediction:
            return "Predict or label something first."
        return ""

    @property
    def why_no_prediction(self) -> str:
        """Reason why no prediction can be started now; empty if one can."""
        is_learning = self.teaching.is_running and not self.teaching.paused
        return "A model is learning; wait for it, or pause it." if is_learning else ""

    @property
    def why_no_adapting(self) -> str:
        """Reason why no model can be adapted without labels; empty if one can."""
        if self.teaching.missing:
            return self.teaching.missing
        return "" if self.run is None else _PREDICTION_FIRST

    @property
    def why_no_learning(self) -> str:
        """Reason why no model can be taught yet; empty if one can."""
        if self.why_no_adapting:
            return self.why_no_adapting
        # In a reviewed region, what is not ink is papyrus.
        has_papyrus = bool(self.counts.papyrus or self.review.reviewed)
        if not (self.counts.ink and has_papyrus):
            lacking = [*([] if self.counts.ink else ["ink"]), *([] if has_papyrus else ["papyrus"])]
            return f"Paint some {' and some '.join(lacking)} first."
        return ""


def cut_level(threshold: float) -> int:
    """Return the smallest uint8 probability p that reaches a threshold, p / 255 ≥ threshold; at least 1."""
    # The tolerance keeps k / 255 itself above the threshold in spite of rounding errors.
    level = -int(-(threshold * 255 - 1e-6) // 1)
    return min(max(level, 1), 255)
