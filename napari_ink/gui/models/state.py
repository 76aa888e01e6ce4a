"""What the panels show, as one frozen value: the session replaces it, panels render it, nobody edits it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from napari_ink.gui.models.actions import Action
from napari_ink.gui.models.status import (
    ConversionStatus,
    LabelCounts,
    ProjectionStatus,
    ReviewStatus,
    RunProgress,
    SearchStatus,
    StorageStatus,
)
from napari_ink.stack import DepthStack
from napari_ink.typing import ExportWhat as ExportWhat

ExportFrom = Literal["labels", "prediction"]


class Step(StrEnum):
    """The steps of the work, in their order."""

    STACK = "Stack"
    PREDICT = "Predict"
    CORRECT = "Correct"
    EXPORT = "Export"


@dataclass(frozen=True, slots=True)
class InkState:
    """Everything that the panels render.

    Attributes
    ----------
    stack
        The stack being worked on, or None before one is open.
    mask
        The papyrus mask found beside it.
    busy
        What short work is under way, in words; empty when none is.
    run
        The prediction under way, or None.
    device_line, notes, outcome
        What the last run said: its device, what it read, how it ended.
    prediction
        Where the last prediction lies; set as soon as it exists, also while it grows.
    has_prediction
        Whether a predicted overlay is shown.
    can_continue
        Whether it was stopped before its end and can go on.
    labels
        Whether editable layers exist.
    labels_edited
        Whether a person has changed them.
    tool, tool_hint
        The tool in hand, and how it is used.
    counts
        How many pixels carry which label.
    storage
        Where the labels are kept, whether they are safe, and what can be undone.
    review
        How far the review has come.
    similar
        What was found that looks like the boxed stroke.
    versions
        The labels' versions, oldest first.
    compared
        What the labels are being compared with: ``prediction``, a version's name, or nothing.
    projection
        What is projected, and whether it is shown.
    missing
        What of the stack is not there, in words.
    reading_error
        First error in reading the stack since it was opened; unlike a message, no success clears it.
    grey_note, suggested_greys
        What is wrong with its grey values, in words, and the range that they seem to have been meant to have.
    conversion
        How far a conversion of the stack has come.
    exported
        Where the last export went.
    import_notes
        What to know about the labels that were imported last: what of the file was left out.
    messages
        What went wrong in a step, or was refused there, in whole sentences; each stays until something that its step
        does succeeds.
    """

    stack: DepthStack | None = None
    mask: Path | None = None
    busy: str = ""
    run: RunProgress | None = None
    device_line: str = ""
    notes: tuple[str, ...] = ()
    outcome: str = ""
    prediction: Path | None = None
    has_prediction: bool = False
    can_continue: bool = False
    ink_threshold: float = 0.5
    edge_threshold: float = 0.5
    labels: bool = False
    labels_edited: bool = False
    tool: str = ""
    tool_hint: str = ""
    counts: LabelCounts = LabelCounts()
    storage: StorageStatus = StorageStatus()
    review: ReviewStatus = ReviewStatus()
    similar: SearchStatus = SearchStatus()
    versions: tuple[str, ...] = ()
    compared: str = ""
    projection: ProjectionStatus = ProjectionStatus()
    missing: str = ""
    reading_error: str = ""
    grey_note: str = ""
    suggested_greys: tuple[int, int] | None = None
    conversion: ConversionStatus = ConversionStatus()
    exported: str = ""
    import_notes: tuple[str, ...] = ()
    messages: tuple[tuple[Step, str], ...] = ()

    @property
    def current_step(self) -> Step:
        """The step a newcomer should look at now."""
        if self.stack is None:
            return Step.STACK
        if self.run is not None or not (self.has_prediction or self.labels):
            return Step.PREDICT
        return Step.EXPORT if self.exported else Step.CORRECT

    def message(self, step: Step) -> str:
        """Return what went wrong in a step; empty when nothing did."""
        return dict(self.messages).get(step, "")

    def is_progress_since(self, before: InkState) -> bool:
        """Whether nothing is new since an earlier state but how far a run is."""
        if self.run is None or before.run is None:
            return False
        run = replace(before.run, done=self.run.done, seconds_left=self.run.seconds_left)
        return self.run == run and self == replace(before, run=self.run)

    def is_done(self, step: Step) -> bool:
        """Whether a step has given its result."""
        return {
            Step.STACK: self.stack is not None,
            Step.PREDICT: self.has_prediction and self.run is None,
            Step.CORRECT: self.labels_edited,
            Step.EXPORT: bool(self.exported),
        }[step]

    def why_no_action(self, action: Action) -> str:
        """Say why an action cannot be taken yet; empty when it can."""
        if action.name == "help":
            return ""
        if self.stack is None:
            return "Open a stack first."
        if action.name in ("blink_prediction", "swap") and not self.has_prediction:
            return "There is no prediction yet: run one in step 2."
        if action.needs_labels and not self.labels:
            return "There are no labels yet: begin with them in step 3."
        return ""

    def why_not(self, step: Step) -> str:
        """Say why a step cannot be taken yet; empty when it can."""
        if step is Step.STACK:
            return "To open another stack, wait for the prediction or cancel it." if self.run else ""
        if self.stack is None:
            return "Open a stack first."
        if step is Step.PREDICT or self.labels:
            return ""
        if self.run is not None:
            return "Wait for the prediction, or cancel it."
        if step is Step.EXPORT and not self.has_prediction:
            return "Predict or label something first."
        return ""


def cut_level(threshold: float) -> int:
    """Return the smallest uint8 probability that a threshold lets through: p / 255 ≥ threshold, never 0."""
    # The tiny allowance keeps k/255 itself on the inside, whatever rounding did to the quotient.
    level = -int(-(threshold * 255 - 1e-6) // 1)
    return min(max(level, 1), 255)


def time_left(seconds: float) -> str:
    """Put a duration into words: ``about 40 s``, ``about 3 min``, ``about 1 h 20 min``."""
    if seconds < 60:
        return f"about {max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60:02d} min"
