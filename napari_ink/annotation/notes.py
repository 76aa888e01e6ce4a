"""Notes on a place: what somebody wants to remember, or to tell the next one who looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from napari_ink.annotation.durable import write_durably
from napari_ink.errors import ProjectError, storage_errors


@dataclass(frozen=True, slots=True)
class Note:
    """What was written about a place.

    Attributes
    ----------
    y, x
        The pixel.
    text
        The words.
    author, at
        Who wrote it, and when (ISO 8601, UTC).
    """

    y: int
    x: int
    text: str
    author: str
    at: str


class Notes:
    """The notes of one project, in one small file.

    Parameters
    ----------
    path
        The file; it need not be there yet.

    Raises
    ------
    ProjectError
        If there is such a file and it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes: list[Note] = []
        try:
            self._notes = [Note(**one) for one in json.loads(path.read_text())]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as error:
            raise ProjectError(
                f"The notes in {path} cannot be read ({error}); mend the file or move it away."
            ) from error

    def __iter__(self) -> Iterator[Note]:
        return iter(tuple(self._notes))

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, y: int, x: int, text: str, author: str) -> Note:
        """Write a note, and save it at once.

        Raises
        ------
        OutputError
            If it cannot be saved.
        """
        note = Note(y, x, text, author, datetime.now(UTC).isoformat(timespec="seconds"))
        self._save([*self._notes, note])
        return note

    def remove(self, note: Note) -> None:
        """Take a note away, for good.

        Raises
        ------
        OutputError
            If that cannot be saved.
        """
        self._save([one for one in self._notes if one != note])

    def _save(self, notes: list[Note]) -> None:
        with storage_errors(self._path):
            write_durably(self._path, json.dumps([asdict(note) for note in notes], indent=1).encode())
        self._notes = notes
