"""What is shown in the status area: the work that is running, messages, and whether all changes are saved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import StorageStatus
from napari_ink.gui.models.words import left_text


class WorkKind(StrEnum):
    """Kinds of work that can be cancelled."""

    PREDICTION = "prediction"
    LEARNING = "learning"
    SEARCH = "search"
    RANKING = "ranking"
    CONVERSION = "conversion"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Work:
    """Work that is running.

    Attributes
    ----------
    kind
        Kind of work, which tells who cancels it.
    text
        What is done, how far it is, and the time left.
    done, total
        Finished parts of all; `total` is 0 while they are not counted.
    can_cancel
        Whether it can be cancelled now.
    is_paused
        Whether it is paused; None if it cannot be paused.
    """

    kind: WorkKind
    text: str
    done: int = 0
    total: int = 0
    can_cancel: bool = True
    is_paused: bool | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Message that stays until it was read; `step` is None for one that stays until its cause is gone."""

    text: str
    step: Step | None = None


def work_of(state: InkState) -> tuple[Work, ...]:
    """Return everything that is running, the most important first."""
    found = (_prediction(state), _learning(state), _search(state), _ranking(state), _conversion(state))
    busy = (Work(WorkKind.OTHER, state.busy, can_cancel=False),) if state.busy else ()
    return (*(work for work in found if work is not None), *busy)


def notices_of(state: InkState) -> tuple[Notice, ...]:
    """Return all messages, the newest first, then problems with the project and the stack."""
    messages = tuple(Notice(text, step) for step, text in reversed(state.messages))
    storage = state.storage
    held = f"{storage.held_by} has these labels open; close them there to edit them here." if storage.held_by else ""
    lasting = (storage.problem, held, *storage.warnings, state.reading_error)
    return (*messages, *(Notice(text) for text in lasting if text))


def saved_line(state: InkState) -> str:
    """Return whether all changes of the labels are saved, and where; empty without labels."""
    return _saved(state.storage) if state.labels else ""


def _saved(storage: StorageStatus) -> str:
    if storage.held_by:
        return "Read only"
    if storage.problem:
        return "Not saved"
    where = storage.project.name if storage.project is not None else ""
    return f"All saved in {where}" if storage.is_saved else f"Saving in {where}…"


def _prediction(state: InkState) -> Work | None:
    run = state.run
    if run is None:
        return None
    if run.cancelling:
        text = "Stopping after this batch…"
    elif run.paused:
        text = f"Paused at tile {run.done} of {run.total}"
    elif not run.total:
        text = "Loading the model…"
    else:
        text = f"Predicting: tile {run.done} of {run.total}{left_text(run.seconds_left)}"
    return Work(WorkKind.PREDICTION, text, run.done, run.total, not run.cancelling, run.paused)


def _learning(state: InkState) -> Work | None:
    status = state.teaching
    if not status.is_running:
        return None
    if status.cancelling:
        text = "Stopping after this step…"
    elif status.paused:
        text = f"Paused: {status.progress}"
    elif status.total:
        text = f"Learning: {status.progress.lower()} {status.done} of {status.total}{left_text(status.seconds_left)}"
    else:
        text = status.progress
    return Work(WorkKind.LEARNING, text, status.done, status.total, not status.cancelling, status.paused)


def _search(state: InkState) -> Work | None:
    status = state.similar
    # With candidates the search is over; their strip stays open until the user has decided.
    if status.done is None or status.candidates:
        return None
    return Work(WorkKind.SEARCH, f"Finding similar strokes: {status.done:.0%}", round(100 * status.done), 100)


def _ranking(state: InkState) -> Work | None:
    return Work(WorkKind.RANKING, state.review.busy) if state.review.busy else None


def _conversion(state: InkState) -> Work | None:
    status = state.conversion
    if status.done is None:
        return None
    # In thousandths, since one per cent of a large segment takes minutes.
    text = f"Converting to OME-Zarr: {status.done:.0%}{left_text(status.seconds_left)}"
    return Work(WorkKind.CONVERSION, text, round(1000 * status.done), 1000)
