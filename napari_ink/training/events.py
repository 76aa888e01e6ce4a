"""What a training run tells while it goes: frozen events, alike for the command line and for a worker in a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_ink.training.validation import Scores


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """Everything has been checked, and the first step is about to be taken.

    Attributes
    ----------
    run
        The folder that all is written into.
    first_step, steps
        The step to begin with, and how many there are.
    parameters
        Number of weights.
    device, precision
        Where, and in which arithmetic, the network is trained.
    notes
        Sentences on what is read, held out, and does not quite fit.
    """

    run: Path
    first_step: int
    steps: int
    parameters: int
    device: str
    precision: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepEnded:
    """One optimiser step: its number, its losses, and the seconds since this training, or its resumption, began."""

    step: int
    ink_loss: float
    edge_loss: float
    seconds: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class BatchSkipped:
    """A batch gave a loss or a gradient that is no number; the weights are as they were before it.

    Attributes
    ----------
    step
        Its number.
    report
        A paragraph that names the crops, and the part of the network where it began.
    learning_rate
        The rate from here on.
    """

    step: int
    report: str
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Validated:
    """The averaged weights were judged by what is held out."""

    step: int
    scores: Scores
    is_best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """The averaged weights after `step` steps lie at `path`."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class TrainingEnded:
    """The run is over.

    Attributes
    ----------
    step
        The last step.
    why
        Whether all steps were taken, or the score rose no more.
    best_step, best
        The step whose weights were judged best, and their scores.
    path
        The checkpoint with them.
    seconds
        How long it took, or how long since it was resumed.
    """

    step: int
    why: Literal["all steps taken", "no better score"]
    best_step: int
    best: Scores
    path: Path
    seconds: float


TrainingEvent = TrainingStarted | StepEnded | BatchSkipped | Validated | CheckpointSaved | TrainingEnded
