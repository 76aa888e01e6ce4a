"""The history of edits, and the stacks of edits that can be undone and redone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from napari_ink.annotation.store.edits import Edit, EditHeader
from napari_ink.annotation.store.journal_scan import Record


@dataclass(slots=True)
class Step:
    """An edit that can be undone or redone: its values while in memory, later their place in the journal."""

    header: EditHeader
    edit: Edit | None = None
    offset: int = 0
    size: int = 0


class History:
    """All edits of a project, and the stacks of steps for undo and redo.

    Undo restores whole blocks, which is correct only if nothing unknown changed them since. So where records are
    missing, or an undo does not match the last step, earlier edits can be neither undone nor redone.

    Parameters
    ----------
    records
        Records of the journal.
    through
        Number of the last change that is known to have been made, whether or not the journal holds it.

    Attributes
    ----------
    headers : list of EditHeader
        Headers of all edits, oldest first.
    undo, redo : list of Step
        Steps that can be undone and redone; the next one is last.
    last_gap : int
        Number of the last missing change; 0 if none is missing.
    """

    def __init__(self, records: Sequence[Record] = (), through: int = 0) -> None:
        self.headers: list[EditHeader] = []
        self.undo: list[Step] = []
        self.redo: list[Step] = []
        self.last_gap = 0
        expected = records[0].number if records else 0
        for record in records:
            # Numbers have no gaps, so a missing one means a lost record.
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
        """Add an edit that was just made; nothing can be redone any more."""
        self.headers.append(step.header)
        self.undo.append(step)
        self.redo.clear()

    def _move(self, from_: list[Step], to: list[Step], number: int) -> None:
        if from_ and from_[-1].header.number == number:
            to.append(from_.pop())
        else:
            # The record refers to an edit that is lost, so the state of the labels before it is unknown.
            self.undo.clear()
            self.redo.clear()

    def _forget_before(self, number: int) -> None:
        self.undo.clear()
        self.redo.clear()
        self.last_gap = number - 1


class RecentSteps:
    """Steps in the journal whose values stay in memory, so that undoing them reads nothing from the disk.

    Parameters
    ----------
    most_bytes
        Size of the values above which those of the oldest steps are dropped.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._steps: OrderedDict[int, tuple[Step, int]] = OrderedDict()

    def add(self, step: Step, nbytes: int) -> None:
        """Keep the values of a step, and drop those of older ones if there are too many."""
        if id(step) in self._steps:
            self._bytes -= self._steps.pop(id(step))[1]
        self._steps[id(step)] = (step, nbytes)
        self._bytes += nbytes
        while self._bytes > self._most_bytes:
            _, (oldest, size) = self._steps.popitem(last=False)
            oldest.edit = None  # the journal has the values
            self._bytes -= size


def _drop_those_without_values(steps: list[Step]) -> None:
    """Remove the steps up to the last one whose values were dropped from the journal to save space."""
    given_up = max((place for place, step in enumerate(steps) if not step.size), default=-1)
    del steps[: given_up + 1]
