"""Jobs on the list of predictions: read it, change it, and open two predictions to compare."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ink.predict import PredictionDifference, PredictionFolder, PredictionList
    from napari_ink.stack import DepthStack

Change = Callable[["PredictionFolder"], Path | None]
"""Change of the list; returns the path of the prediction that it concerns."""


@dataclass(frozen=True, slots=True)
class PredictionsRead:
    """Event: the list of predictions, after a change of the prediction at `changed` if there was one."""

    found: PredictionList
    changed: Path | None = None
    is_first: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonOpened:
    """Event: two predictions were opened to compare them; `ink` and `edge` are the thresholds of the second."""

    difference: PredictionDifference
    ink_threshold: float
    edge_threshold: float


@dataclass(frozen=True, slots=True)
class DirectionsCompared:
    """Event: a sentence on the direction in which ink stands out better."""

    sentence: str


def list_job(project: Path, stack: DepthStack, change: Change | None = None) -> Generator[PredictionsRead]:
    """Change a stack's list of predictions if asked to, read it, and then measure unknown disagreements."""
    from napari_ink.predict import PredictionFolder

    predictions = PredictionFolder(project)
    changed = None if change is None else change(predictions)
    found = predictions.read(stack)
    yield PredictionsRead(found, changed)
    for index, row in enumerate(found.rows):
        # A growing one is measured for the blocks that it has, and again when its run has ended.
        if row.has_disagreement and row.mean_disagreement is None and row.final_blocks:
            rows = (*found.rows[:index], predictions.measured(row), *found.rows[index + 1 :])
            found = replace(found, rows=rows)
            yield PredictionsRead(found, is_first=False)


def directions_job(as_stored: Path, backwards: Path) -> Generator[DirectionsCompared]:
    """Compare the predictions of both directions."""
    from napari_ink.predict import compare_directions, open_prediction

    comparison = compare_directions(open_prediction(as_stored), open_prediction(backwards))
    yield DirectionsCompared(comparison.sentence)


def compare_job(first: Path, second: Path) -> Generator[ComparisonOpened]:
    """Open two predictions of a segment."""
    from napari_ink.predict import PredictionDifference, open_prediction

    other = open_prediction(second)
    difference = PredictionDifference(open_prediction(first), other)
    yield ComparisonOpened(difference, other.recommended_threshold("ink"), other.recommended_threshold("edge"))
