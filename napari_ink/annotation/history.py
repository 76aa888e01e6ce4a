"""What was done, and what of it can be undone and made again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_ink.annotation.edits import Edit, EditHeader
from napari_ink.annotation.journal import Record


@dataclass(slots=True)
class Step:
    """One edit that can be undone or redone: its values in memory until the journal has them, then where they lie."""

    header: EditHeader
    edit: Edit | None = None
    offset: int = 0
    size: int = 0


class History:
    """Every edit there ever was, and two stacks of steps.

    Attributes
    ----------
    headers : list of EditHeader
        Who changed what and when, oldest first.
    undo, redo : list of Step
        What can be taken back, and made again; the next one last.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.headers: list[EditHeader] = []
        self.undo: list[Step] = []
        self.redo: list[Step] = []
        for record in records:
            match record.kind:
                case "edit":
                    self.headers.append(record.header)
                    self.redo.clear()
                    if record.size:  # else its values have been given up
                        self.undo.append(Step(record.header, offset=record.offset, size=record.size))
                case "undo":
                    _move(self.undo, self.redo, record.of)
                case "redo":
                    _move(self.redo, self.undo, record.of)

    def add(self, step: Step) -> None:
        """Take an edit that was just made; nothing can be made again any more."""
        self.headers.append(step.header)
        self.undo.append(step)
        self.redo.clear()


def _move(from_: list[Step], to: list[Step], number: int) -> None:
    if from_ and from_[-1].header.number == number:
        to.append(from_.pop())
