"""The list of predictions as the panel shows it: rows, the one in use, the one to continue, and a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_ink.predict import StoredPrediction, TrashedPrediction

_LEAST_UNLIKE = 0.005  # a smaller share would read as 0 %


@dataclass(frozen=True, slots=True)
class PredictionsStatus:
    """The predictions of the segment.

    Attributes
    ----------
    rows
        Predictions, newest first.
    faults
        Sentences on predictions that are damaged.
    trash
        Deleted predictions, newest first.
    to_continue
        Store of the prediction that Continue resumes; None if there is none.
    compared
        Store of the prediction that the one in use is compared with; None without a comparison.
    is_other_shown
        Whether the compared one is shown at this moment in place of the one in use.
    """

    rows: tuple[StoredPrediction, ...] = ()
    faults: tuple[str, ...] = ()
    trash: tuple[TrashedPrediction, ...] = ()
    to_continue: Path | None = None
    compared: Path | None = None
    is_other_shown: bool = False

    @property
    def trash_nbytes(self) -> int:
        """Size of the trash on the disk."""
        return sum(one.nbytes for one in self.trash)

    def row(self, path: Path | None) -> StoredPrediction | None:
        """Return the row of a store; None if it is not in the list."""
        return next((row for row in self.rows if row.path == path), None)


def unfinished(
    rows: tuple[StoredPrediction, ...], in_use: Path | None, not_resumable: Collection[Path] = ()
) -> StoredPrediction | None:
    """Return the prediction that Continue resumes: the one in use if it is unfinished, else the newest unfinished one.

    Parameters
    ----------
    rows
        Predictions, newest first.
    in_use
        Store of the prediction that is shown.
    not_resumable
        Stores whose runs cannot be resumed from their record alone.
    """
    open_rows = [row for row in rows if not row.is_complete and row.path not in not_resumable]
    return next((row for row in open_rows if row.path == in_use), open_rows[0] if open_rows else None)


def title(row: StoredPrediction, rows: tuple[StoredPrediction, ...]) -> str:
    """Return the name of a prediction, with its time if another one has the same name."""
    is_unique = sum(other.name == row.name for other in rows) == 1
    return row.name if is_unique else f"{row.name}, {when(row)}"


def when(row: StoredPrediction) -> str:
    """Return the time at which a prediction was begun."""
    return f"{row.started:%d %b %H:%M}"


def details(row: StoredPrediction, is_running: bool) -> str:
    """Return the line of facts below the name of a prediction."""
    share = "" if row.is_complete else "running" if is_running else f"{row.share} done"
    disagreement = "" if row.mean_disagreement is None else f"disagreement {row.mean_disagreement:.1%}"
    is_unlike = (row.unfamiliar_share or 0) >= _LEAST_UNLIKE
    unlike = f"{row.unfamiliar_share:.0%} unlike training" if is_unlike else ""
    direction = "reversed" if row.provenance["contract"]["direction"] == "reversed" else ""
    return ", ".join(filter(None, (row.area, direction, share, disagreement, unlike)))


def size(nbytes: int) -> str:
    """Return a number of bytes in words."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{max(nbytes / 1e6, 0.1):.1f} MB"
