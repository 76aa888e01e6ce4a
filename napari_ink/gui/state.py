"""What the panels show, as one frozen value: the session replaces it, panels render it, nobody edits it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from napari_ink.annotation import Candidate, Note
from napari_ink.export import ExportWhat as ExportWhat
from napari_ink.stack import DepthStack, How

What = Literal["ink", "edge"]
ExportFrom = Literal["labels", "prediction"]


class Step(StrEnum):
    """The steps of the work, in their order."""

    STACK = "Stack"
    PREDICT = "Predict"
    CORRECT = "Correct"
    EXPORT = "Export"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a prediction has come; `total` is 0 until its tiles are counted."""

    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    cancelling: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Pixels that carry a label, by value."""

    ink: int = 0
    papyrus: int = 0
    edge: int = 0
    not_edge: int = 0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where labels are kept and whether they are safe there.

    Attributes
    ----------
    project
        The project's folder, or None before there is one.
    held_by
        Who has it open elsewhere; empty when it can be edited here.
    is_saved
        Whether all that was drawn is on the disk.
    problem
        What keeps it from being written; empty when nothing does.
    undo_name, redo_name
        What undo and redo would do; empty when there is nothing.
    is_partial
        Whether more is in sight than can be drawn in at once.
    """

    project: Path | None = None
    held_by: str = ""
    is_saved: bool = True
    problem: str = ""
    undo_name: str = ""
    redo_name: str = ""
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class ReviewNews:
    """How far the review has come.

    Attributes
    ----------
    regions, reviewed, flagged, in_progress
        Regions in all, and by their state.
    region
        What is known of the region in hand, in words.
    queued, seconds_left
        Regions of the queue that are still to be looked at, and how long they will take.
    busy, note
        What is being worked out; what there is to say.
    figures
        The segment's figures, in words.
    notes
        The notes on places.
    """

    regions: int = 0
    reviewed: int = 0
    flagged: int = 0
    in_progress: int = 0
    region: str = ""
    queued: int = 0
    seconds_left: float | None = None
    busy: str = ""
    note: str = ""
    figures: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class SimilarNews:
    """What was found that looks like the boxed stroke.

    Attributes
    ----------
    done
        Share of the search that is over, 0…1; None when none is under way.
    candidates
        What was found and is neither accepted nor rejected yet, best first.
    current
        Which of them is shown.
    accepted, rejected
        How many were.
    note
        What there is to say.
    """

    done: float | None = None
    candidates: tuple[Candidate, ...] = ()
    current: int = 0
    accepted: int = 0
    rejected: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProjectionNews:
    """What is projected.

    Attributes
    ----------
    is_shown
        Whether it is.
    how
        In which way.
    first, last
        Layers, both included.
    layers
        How many there are.
    """

    is_shown: bool = False
    how: How = "max"
    first: int = 0
    last: int = 0
    layers: int = 1


@dataclass(frozen=True, slots=True)
class Conversion:
    """How far a conversion has come.

    Attributes
    ----------
    done
        Share of it that is over, 0…1; None when none is under way.
    seconds_left
        How long the rest will take, once that can be said.
    out
        Where the last one went.
    """

    done: float | None = None
    seconds_left: float | None = None
    out: Path | None = None


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
    keeping
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
    conversion
        How far a conversion of the stack has come.
    exported
        Where the last export went.
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
    keeping: Keeping = Keeping()
    review: ReviewNews = ReviewNews()
    similar: SimilarNews = SimilarNews()
    versions: tuple[str, ...] = ()
    compared: str = ""
    projection: ProjectionNews = ProjectionNews()
    missing: str = ""
    conversion: Conversion = Conversion()
    exported: str = ""

    @property
    def current_step(self) -> Step:
        """The step a newcomer should look at now."""
        if self.stack is None:
            return Step.STACK
        if self.run is not None or not (self.has_prediction or self.labels):
            return Step.PREDICT
        return Step.EXPORT if self.exported else Step.CORRECT

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
