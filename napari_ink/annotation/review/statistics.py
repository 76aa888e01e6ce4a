"""What has been done on a segment, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from napari_ink.annotation.labels import LabelValue
from napari_ink.annotation.review.review import ReviewState
from napari_ink.annotation.store.edits import EditHeader
from napari_ink.annotation.store.store import Annotation


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of one segment's labels.

    Attributes
    ----------
    ink_px, papyrus_px
        Labelled pixels.
    ink_cm2
        The ink's area, or None where the voxel size is not known.
    regions, reviewed, flagged, in_progress
        Regions in all, and by their state.
    changes, changes_today
        What was ever done, and what since midnight.
    """

    ink_px: int
    papyrus_px: int
    ink_cm2: float | None
    regions: int
    reviewed: int
    flagged: int
    in_progress: int
    changes: int
    changes_today: int


def statistics(annotation: Annotation, voxel_size_um: float | None, now: datetime | None = None) -> Statistics:
    """Return the figures of a segment's labels; nothing is scanned for them.

    Parameters
    ----------
    annotation
        The labels.
    voxel_size_um
        A pixel's side in micrometres, where it is known.
    now
        The present moment; the clock's when None.
    """
    ink, review = annotation.count("ink"), annotation.count("review")
    rows, columns = annotation.plane_shape("review")
    ink_px = ink.get(LabelValue.INK, 0)
    history = annotation.history()
    return Statistics(
        ink_px=ink_px,
        papyrus_px=ink.get(LabelValue.PAPYRUS, 0),
        ink_cm2=None if voxel_size_um is None else ink_px * (voxel_size_um * 1e-4) ** 2,
        regions=rows * columns,
        reviewed=review.get(ReviewState.REVIEWED, 0),
        flagged=review.get(ReviewState.FLAGGED, 0),
        in_progress=review.get(ReviewState.IN_PROGRESS, 0),
        changes=len(history),
        changes_today=_since_midnight(history, now or datetime.now(UTC)),
    )


def _since_midnight(history: Sequence[EditHeader], now: datetime) -> int:
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    count = 0
    for header in reversed(history):  # in order of time: the first that is older ends it
        if datetime.fromisoformat(header.at) < midnight:
            break
        count += 1
    return count
