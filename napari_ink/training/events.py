"""Events of a training run, frozen objects for the command line and for a worker of the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_ink.training.validation import Scores


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """The request has been checked, and the first step comes next.

    Attributes
    ----------
    run
        Folder of the run.
    first_step, steps
        Steps that are done already, and number of all steps.
    parameters
        Number of weights.
    device, precision
        Device and arithmetic of the training.
    notes
        Sentences on what is read, what is held out, and what does not fit well.
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
    """One optimiser step: its number, its losses, and the seconds since the run was started or resumed."""

    step: int
    ink_loss: float
    edge_loss: float
    seconds: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class BatchSkipped:
    """A batch with a loss or gradient that is not finite was skipped; the weights are unchanged.

    Attributes
    ----------
    step
        Number of the step.
    report
        Paragraph that names the crops, and the first layer of the network with an output that is not finite.
    learning_rate
        Learning rate of the next step.
    """

    step: int
    report: str
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Validated:
    """The averaged weights were scored on held-out crops."""

    step: int
    scores: Scores
    is_best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """The averaged weights after `step` steps were saved at `path`."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class TrainingEnded:
    """The run has ended.

    Attributes
    ----------
    step
        The last step.
    why
        Whether all steps were taken, or the score did not improve any more.
    best_step, best
        Step of the best weights, and their scores.
    path
        Checkpoint with the best weights.
    seconds
        Duration since the run was started or resumed.
    """

    step: int
    why: Literal["all steps taken", "no better score"]
    best_step: int
    best: Scores
    path: Path
    seconds: float


TrainingEvent = TrainingStarted | StepEnded | BatchSkipped | Validated | CheckpointSaved | TrainingEnded
