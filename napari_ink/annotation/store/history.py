"""What was done, and what of it can be undone and made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_ink.annotation.store.edits import Edit, EditHeader
from napari_ink.annotation.store.journal_scan import Record


@dataclass(slots=True)
class Step:
    """One edit that can be undone or redone: its values in memory until the journal has them, then where they lie."""

    header: EditHeader
    edit: Edit | None = None
    offset: int = 0
    size: int = 0


class History:
    """Every edit there ever was, and two stacks of steps.

    Undo puts back whole blocks as they were, which is right only while nothing unknown happened since. So where records
    are missing, or one takes back what is not known as the last step, what was done before can be neither undone nor
    made again.

    Parameters
    ----------
    records
        What the journal holds.
    through
        The last change that is known to have been made, whether or not the journal holds it.

    Attributes
    ----------
    headers : list of EditHeader
        Who changed what and when, oldest first.
    undo, redo : list of Step
        What can be taken back, and made again; the next one last.
    last_gap : int
        The last change that is missing; 0 if none is.
    """

    def __init__(self, records: Sequence[Record] = (), through: int = 0) -> None:
        self.headers: list[EditHeader] = []
        self.undo: list[Step] = []
        self.redo: list[Step] = []
        self.last_gap = 0
        expected = records[0].number if records else 0
        for record in records:
            if record.number != expected:
                self._forget_before(record.number)
            expected = record.number + 1
            match record.kind:
                case "edit":
                    self.headers.append(record.header)
                    self.redo.clear()
                    self.undo.append(Step(record.header, offset=record.offset, size=record.size))
                case "undo":
                    self._move(self.undo, self.redo, record.of)
                case "redo":
                    self._move(self.redo, self.undo, record.of)
        if records and through >= expected:
            self._forget_before(through + 1)
        _drop_those_without_values(self.undo)
        _drop_those_without_values(self.redo)

    def add(self, step: Step) -> None:
        """Take an edit that was just made; nothing can be made again any more."""
        self.headers.append(step.header)
        self.undo.append(step)
        self.redo.clear()

    def _move(self, from_: list[Step], to: list[Step], number: int) -> None:
        if from_ and from_[-1].header.number == number:
            to.append(from_.pop())
        else:
            self.undo.clear()
            self.redo.clear()

    def _forget_before(self, number: int) -> None:
        self.undo.clear()
        self.redo.clear()
        self.last_gap = number - 1


def _drop_those_without_values(steps: list[Step]) -> None:
    """Keep the steps that can be taken: those since the last one whose values the journal has given up."""
    given_up = max((place for place, step in enumerate(steps) if not step.size), default=-1)
    del steps[: given_up + 1]
