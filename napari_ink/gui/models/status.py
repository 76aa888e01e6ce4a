"""Status of each part of the work, as frozen values that together form the state of the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import Candidate, Note
from napari_ink.stack import How

if TYPE_CHECKING:
    from napari_ink.training import TaughtModel


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a prediction; `total` is 0 until the tiles are counted."""

    done: int = 0
    total: int = 0
    seconds_left: float | None = None  # unknown until the first tile is done
    cancelling: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Number of pixels of each label."""

    ink: int = 0
    papyrus: int = 0
    edge: int = 0
    not_edge: int = 0


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """Storage of the labels, and whether all changes are saved.

    Attributes
    ----------
    project
        Folder of the project; None without one.
    held_by
        Holder of the project in another window; empty if it can be edited here.
    is_saved
        Whether all strokes are on disk.
    problem
        Reason why changes cannot be written; empty if they can.
    undo_name, redo_name
        Names of the steps that undo and redo would change; empty if there are none.
    is_partial
        Whether the visible region is larger than the edit window.
    warnings
        Sentences on damage found in the project.
    is_turned
        Whether the view is 3-D or has swapped axes, so that labels cannot be drawn.
    hidden
        Hidden label layers: ``"ink"``, ``"edge"``.
    """

    project: Path | None = None
    held_by: str = ""
    is_saved: bool = True  # without a project there is nothing to save
    problem: str = ""
    undo_name: str = ""
    redo_name: str = ""
    is_partial: bool = False
    warnings: tuple[str, ...] = ()
    is_turned: bool = False
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """Progress of the review.

    Attributes
    ----------
    regions, reviewed, flagged, in_progress
        Number of regions in total, and by state.
    region
        Sentence on the current region.
    queued, seconds_left
        Number of open regions in the queue, and the estimated time for them.
    busy, note
        Work in progress, and a message for the user.
    statistics
        Sentence with the statistics of the segment.
    notes
        Notes on places.
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
    statistics: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchStatus:
    """Progress and candidates of a search for similar strokes.

    Attributes
    ----------
    done
        Finished share of the search, 0…1; None if no search is running.
    candidates
        Candidates neither accepted nor rejected yet, best first.
    current
        Index of the candidate that is shown.
    accepted, rejected
        Number of accepted and rejected candidates.
    note
        Message for the user.
    """

    done: float | None = None
    candidates: tuple[Candidate, ...] = ()
    current: int = 0
    accepted: int = 0
    rejected: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """Settings of the projection.

    Attributes
    ----------
    is_shown
        Whether the projection is shown.
    how
        Method that combines the layers.
    first, last
        First and last layer, both included.
    layers
        Number of depth layers of the stack.
    """

    is_shown: bool = False
    how: How = "max"
    first: int = 0
    last: int = 0
    layers: int = 1


@dataclass(frozen=True, slots=True)
class ConversionStatus:
    """Progress of a conversion.

    Attributes
    ----------
    done
        Finished share of the conversion, 0…1; None if none is running.
    seconds_left
        Estimated remaining time; None until it is known.
    out
        Path of the last converted stack.
    """

    done: float | None = None
    seconds_left: float | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class TeachingStatus:
    """Progress of teaching, and the models that were taught in the project.

    Attributes
    ----------
    progress
        What is done now, in words; empty if no model is being taught.
    done, total
        Finished steps of all; `total` is 0 while they are not counted.
    seconds_left
        Estimated remaining time; None until it is known.
    cancelling
        Whether it was cancelled and has not ended yet.
    paused
        Whether it waits after the current step.
    interrupted
        Whether a lesson that was stopped can be continued.
    losses
        Loss of each step so far, at most a few hundred of them.
    scores
        Step and F0.5 on held-out strokes of each validation so far.
    examples
        Picture of example crops; None before the first validation.
    others
        Further projects to learn from.
    notes
        Sentences on the strokes that are learned from.
    outcome
        Sentences on the models that were made, or on why none was.
    rows
        Taught models, oldest first.
    in_use
        Key of the model in use; empty for the start model.
    folder
        Folder of the models; None without a project.
    checking
        Check that is running, in words; empty if none is.
    missing
        Sentence on a package that is not installed; empty if learning is possible.
    """

    progress: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    cancelling: bool = False
    paused: bool = False
    interrupted: bool = False
    losses: tuple[tuple[int, float], ...] = ()
    scores: tuple[tuple[int, float], ...] = ()
    examples: Path | None = None
    others: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    rows: tuple[TaughtModel, ...] = ()
    in_use: str = ""
    folder: Path | None = None
    checking: str = ""
    missing: str = ""

    @property
    def is_running(self) -> bool:
        """Whether a model is being taught."""
        return bool(self.progress)


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """Live mode: whether it is on, and a sentence on its answer."""

    is_on: bool = False
    text: str = ""


# Compared by identity: arrays have no single truth value, so `==` of two profiles would raise.
@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Depth profile at a place.

    Attributes
    ----------
    y, x
        Row and column.
    grey
        Mean grey values ``(z,)`` of a square of five by five pixels.
    contribution
        Contribution of each layer to the predicted ink ``(z,)``; None if the model was not asked.
    """

    y: int
    x: int
    grey: npt.NDArray[np.float32]
    contribution: npt.NDArray[np.float32] | None = None
