"""Notes on places of a segment, for oneself or for others."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from napari_ink.decoding import decoder_errors, parse_json, read_bounded
from napari_ink.durable import write_bytes
from napari_ink.errors import ProjectError, storage_errors


@dataclass(frozen=True, slots=True)
class Note:
    """A note on a pixel.

    Attributes
    ----------
    y, x
        The pixel, in segment coordinates.
    text
        Text of the note.
    author, at
        Author, and time of writing (ISO 8601, UTC).
    """

    y: int
    x: int
    text: str
    author: str
    at: str


class Notes:
    """The notes of one project, in one small file; all methods are thread-safe.

    Parameters
    ----------
    path
        JSON file of the notes; it is created with the first note.

    Attributes
    ----------
    warning
        Sentence about damage to the file; empty if there is none. A damaged file stays in place until a note is added,
        and is then renamed and kept.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.warning = path, ""
        self._notes: list[Note] = []
        self._lock = threading.Lock()
        if not os.path.lexists(path):
            return
        try:
            stored = parse_json(read_bounded(path, ProjectError), ProjectError, path)
            with decoder_errors(ProjectError, path, "repair it"):
                self._notes = [_note(**one) for one in stored]
        except ProjectError as error:
            reason = str(error).partition("; ")[0]
            self.warning = (
                f"{reason}; its notes are not shown, and it is renamed to {self._aside.name} when you add a note."
            )

    @property
    def _aside(self) -> Path:
        """Free name that a damaged file is moved to."""
        names = (self._path.with_name(f"{self._path.name}.damaged-{number}") for number in count(1))
        return next(path for path in names if not os.path.lexists(path))

    def __iter__(self) -> Iterator[Note]:
        return iter(tuple(self._notes))

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, y: int, x: int, text: str, author: str) -> Note:
        """Add a note, save it at once and return it.

        Raises
        ------
        OutputError
            If the notes cannot be written.
        """
        note = Note(y, x, text, author, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._lock:  # otherwise two notes at once would each be saved without the other
            self._save([*self._notes, note])
        return note

    def remove(self, note: Note) -> None:
        """Remove a note and save the rest at once.

        Raises
        ------
        OutputError
            If the notes cannot be written.
        """
        with self._lock:
            self._save([one for one in self._notes if one != note])

    def _save(self, notes: list[Note]) -> None:
        with storage_errors(self._path):
            # Only now, so that reading notes changes no file.
            if self.warning:
                os.rename(self._path, self._aside)
                self.warning = ""
            write_bytes(self._path, json.dumps([asdict(note) for note in notes], indent=1).encode())
        self._notes = notes  # after the file, so that memory never holds a note that is not saved


def _note(y: object, x: object, text: object, author: object, at: object) -> Note:
    """Return a note; raise `ValueError` if a value has the wrong type or range."""
    if not (isinstance(y, int) and isinstance(x, int) and abs(y) < 2**31 and abs(x) < 2**31):
        raise ValueError("the place of a note is invalid")
    if not (isinstance(text, str) and isinstance(author, str) and isinstance(at, str)):
        raise ValueError("a text of a note is invalid")
    return Note(y, x, text, author, at)
