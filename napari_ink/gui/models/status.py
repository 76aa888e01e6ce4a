"""What each part of the work tells of itself, as frozen values; together they are the window's state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import Candidate, Note
from napari_ink.stack import How


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
class StorageStatus:
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
    warnings
        What of the project was found damaged, in sentences.
    is_turned
        Whether the view is one that cannot be drawn in: 3-D, or other axes than rows and columns.
    hidden
        Which label layers are hidden: ``"ink"``, ``"edge"``.
    """

    project: Path | None = None
    held_by: str = ""
    is_saved: bool = True
    problem: str = ""
    undo_name: str = ""
    redo_name: str = ""
    is_partial: bool = False
    warnings: tuple[str, ...] = ()
    is_turned: bool = False
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewStatus:
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
class SearchStatus:
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
class ProjectionStatus:
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
class ConversionStatus:
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


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What lies along the depth at a place.

    Attributes
    ----------
    y, x
        The place.
    grey
        Mean grey values ``(z,)`` of five pixels square.
    contribution
        What each layer adds to the model's ink ``(z,)``, if it was asked.
    """

    y: int
    x: int
    grey: npt.NDArray[np.float32]
    contribution: npt.NDArray[np.float32] | None = None
