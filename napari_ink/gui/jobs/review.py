"""Jobs of the review: scores for the queue of regions, and the statistics of a segment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue, ReviewState, Statistics, score_regions, statistics
from napari_ink.annotation.store.edits import CHUNK_PX
from napari_ink.errors import BadInputError
from napari_ink.gui.models.words import count_text
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, RegionScore
    from napari_ink.predict import Prediction

_EVERY = 16


@dataclass(frozen=True, slots=True, eq=False)
class RegionsScored:
    """Event: progress of the scoring; the last event has the scores."""

    done: int
    total: int
    scores: tuple[RegionScore, ...] = ()


@dataclass(frozen=True, slots=True)
class StatisticsComputed:
    """Event: a sentence with the statistics of a segment."""

    text: str


class Write:
    """A short piece of writing that is done once: on the thread of a job, or before, by whoever cannot wait for it."""

    def __init__(self, write: Callable[[], object]) -> None:
        self._write: Callable[[], object] | None = write
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        """Whether it was done or tried."""
        return self._write is None

    def __call__(self) -> None:
        """Write, unless that was done or tried before; if it is being done, wait for its end."""
        with self._lock:
            write, self._write = self._write, None
            if write is not None:
                write()


def write_job(write: Write) -> Generator[Write]:
    """Write on a thread, since syncing to the disk may take long."""
    write()
    yield write


def score_job(
    annotation: Annotation,
    planes: tuple[UInt8Array, UInt8Array] | None,
    cuts: tuple[float, float],
    shown: Path | None = None,
) -> Generator[RegionsScored]:
    """Score every region that is neither reviewed nor flagged.

    If the store of the shown prediction lies beside one by another model, regions where these disagree score more.
    """
    review = annotation.review_states()
    total = int(np.count_nonzero(~np.isin(review, (ReviewState.REVIEWED, ReviewState.FLAGGED))))

    def labels(y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        return annotation.read("ink", y, x)

    def predicted(index: int, y: tuple[int, int], x: tuple[int, int]) -> UInt8Array:
        if planes is None:
            return np.zeros((y[1] - y[0], x[1] - x[0]), np.uint8)
        return planes[index][slice(*y), slice(*x)]

    opinion = None if planes is None or shown is None else SecondOpinion.beside(shown)
    scores: list[RegionScore] = []
    for score in score_regions(
        annotation.shape,
        lambda y, x: predicted(0, y, x),
        lambda y, x: predicted(1, y, x),
        labels,
        review,
        *cuts,
        other=None if opinion is None else lambda y, x: opinion.read(y, x, predicted(0, y, x) >= cuts[0] * 255),
        other_threshold=0.5 if opinion is None else opinion.threshold,
    ):
        scores.append(score)
        if len(scores) % _EVERY == 0 and len(scores) < total:
            yield RegionsScored(len(scores), total)
    yield RegionsScored(total, total, tuple(scores))


@dataclass(frozen=True, eq=False)
class SecondOpinion:
    """The latest stored prediction of the same segment by another model than the shown one.

    Attributes
    ----------
    prediction
        Its store, which is read region by region.
    done
        Whether both predictions are final, bool, for each block; blocks are as large as regions.
    """

    prediction: Prediction
    done: npt.NDArray[np.bool_]

    @classmethod
    def beside(cls, shown: Path) -> Self | None:
        """Return the second opinion from the folder of the shown prediction; None if there is none."""
        from napari_ink.predict import open_prediction

        try:
            first = open_prediction(shown)
        except BadInputError:
            return None  # it is shown, so whoever reads it reports what is wrong
        for path in sorted(shown.parent.glob("*.zarr"), key=lambda one: (one.lstat().st_mtime, one.name), reverse=True):
            try:
                other = open_prediction(path)
            except BadInputError:
                continue  # damage to other predictions does not concern the review
            if other.shape == first.shape and _model(other) != _model(first) and _stack(other) == _stack(first):
                return cls(other, first.done() & other.done())
        return None

    @property
    def threshold(self) -> float:
        """Threshold that its model recommends."""
        return self.prediction.recommended_threshold("ink")

    def read(self, y: tuple[int, int], x: tuple[int, int], shown: npt.NDArray[np.bool_]) -> UInt8Array:
        """Return its ink in a region; where it was not predicted, it agrees with the mask that is shown."""
        from napari_ink.predict.tiles import BLOCK

        if self.done[y[0] // BLOCK, x[0] // BLOCK]:
            return self.prediction.read("ink", slice(*y), slice(*x))
        return shown.astype(np.uint8) * 255


def _model(prediction: Prediction) -> object:
    return prediction.provenance["model"].get("sha256")


def _stack(prediction: Prediction) -> object:
    return prediction.provenance["stack"].get("fingerprint")


def statistics_job(
    annotation: Annotation, voxel_size_um: float | None, predicted: tuple[UInt8Array, int] | None
) -> Generator[StatisticsComputed]:
    """Compute the statistics of a segment; `predicted` has the probabilities of ink and their threshold level."""
    found = statistics(annotation, voxel_size_um)
    agreement = None if predicted is None else _agreement(annotation, *predicted)
    yield StatisticsComputed(_in_words(found, agreement))


def _agreement(annotation: Annotation, ink: UInt8Array, level: int) -> float | None:
    """Return the share of labelled pixels that agree with the prediction; None without labels."""
    same = labelled = 0
    height, width = annotation.shape
    # Chunk by chunk, and only stored ones: a segment has far more pixels than labels.
    for row, column in annotation.stored("ink"):
        y = row * CHUNK_PX, min((row + 1) * CHUNK_PX, height)
        x = column * CHUNK_PX, min((column + 1) * CHUNK_PX, width)
        values = annotation.read("ink", y, x)
        known = values != LabelValue.UNREVIEWED
        labelled += int(known.sum())
        same += int((((values == LabelValue.INK) == (ink[slice(*y), slice(*x)] >= level)) & known).sum())
    return same / labelled if labelled else None


def _in_words(found: Statistics, agreement: float | None) -> str:
    area = f"{count_text(found.ink_px)} px"
    if found.ink_cm2 is not None:
        area = f"{found.ink_cm2 * 100:.2f} mm²"
    agrees = "" if agreement is None else f" Prediction and labels agree on {agreement:.1%} of the labelled pixels."
    return (
        f"Ink: {area}. Reviewed: {found.reviewed} of {found.regions} regions, {found.flagged} flagged. "
        f"Changes: {found.changes_today} today, {found.changes} in all.{agrees}"
    )
