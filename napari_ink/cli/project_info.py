"""What `napari-ink info` says of a project: its predictions and their trash."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import print_json

if TYPE_CHECKING:
    from napari_ink.predict import PredictionList, StoredPrediction

_COLUMNS = ("name", "model", "started", "area", "done", "mean disagreement", "unlike training", "store")
_RIGHT_ALIGNED = ("done", "mean disagreement", "unlike training")


def project_at(source: str) -> Path | None:
    """Return the folder of a project, or of predictions that have no project yet; None for anything else."""
    from napari_ink.annotation import SUFFIX, is_project
    from napari_ink.predict import FOLDER

    try:
        folder = Path(source).absolute()
        if is_project(folder) or (folder.suffix == SUFFIX and (folder / FOLDER).is_dir()):
            return folder
    except (OSError, ValueError):
        pass  # opening it as a stack reports the problem
    return None


def print_project(folder: Path, as_json: bool) -> None:
    """Print the predictions of a project, newest first, as a table or as JSON."""
    from napari_ink.predict import PredictionFolder

    predictions = PredictionFolder(folder)
    found = predictions.read()
    rows = [predictions.measured(row, record=False) for row in found.rows]
    if as_json:
        print_json(_as_json(folder, found, rows))
        return
    size = f", {found.trash_nbytes / 1e6:.1f} MB" if found.trash else ""
    print(f"{'project:':15}{folder}\n{'predictions:':15}{len(rows)}\n{'trash:':15}{len(found.trash)}{size}")
    if rows:
        print()
        _print_table([_COLUMNS, *(_cells(row, folder) for row in rows)])
        for row in rows:
            for doubt in row.doubts:
                print(f"{row.name}: {doubt}")
    for fault in found.faults:
        print(fault, file=sys.stderr)


def _as_json(folder: Path, found: PredictionList, rows: Sequence[StoredPrediction]) -> dict[str, Any]:
    trash = [
        {"name": one.name, "path": str(one.path), "deleted": one.deleted.isoformat(), "bytes": one.nbytes}
        for one in found.trash
    ]
    return {
        "project": str(folder),
        "predictions": [row.as_json() for row in rows],
        "trash": trash,
        "not_listed": list(found.faults),
    }


def _cells(row: StoredPrediction, folder: Path) -> tuple[str, ...]:
    disagreement = "–" if row.mean_disagreement is None else f"{row.mean_disagreement:.3f}"
    store = row.path.relative_to(folder).as_posix()
    unlike = "–" if row.unfamiliar_share is None else f"{row.unfamiliar_share:.0%}"
    return row.name, row.model, f"{row.started:%Y-%m-%d %H:%M}", row.area, row.share, disagreement, unlike, store


def _print_table(lines: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.rjust(width) if title in _RIGHT_ALIGNED else cell.ljust(width)
            for title, cell, width in zip(_COLUMNS, line, widths, strict=True)
        )
        print("  ".join(cells).rstrip())
