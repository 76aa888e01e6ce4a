"""Statistics of the work on a segment."""

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
    """Statistics of one segment's labels.

    Attributes
    ----------
    ink_px, papyrus_px
        Number of pixels labelled as ink and as papyrus.
    ink_cm2
        Area of the ink in square centimetres; None if the voxel size is unknown.
    regions, reviewed, flagged, in_progress
        Number of regions in all, and by state.
    changes, changes_today
        Number of edits in all, and since midnight.
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
    """Return the statistics of a segment's labels, from counts that the store keeps.

    Parameters
    ----------
    annotation
        Labels of the segment.
    voxel_size_um
        Side of a pixel in micrometres; None if unknown.
    now
        Current time; None for the clock's.
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
    # Midnight of the user's time zone; edits are recorded in UTC.
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    count = 0
    for header in reversed(history):  # newest first, so the first older one ends the count
        if datetime.fromisoformat(header.at) < midnight:
            break
        count += 1
    return count
