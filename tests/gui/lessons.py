"""A segment for lessons: bright squares of ink on darker, noisy papyrus, and labels on some of it."""

from pathlib import Path

import numpy as np

from napari_ink.training import StrokeScores, TaughtModel

SHAPE = (256, 320)
SIDE = 24
INK = [(20 + 56 * row, 24 + 72 * column) for row in range(4) for column in range(4)]
PAPYRUS = [(20 + 56 * row, 60 + 72 * column) for row in range(4) for column in range(4)]


def truth() -> np.ndarray:
    """Return where the ink is."""
    ink = np.zeros(SHAPE, bool)
    for y, x in INK:
        ink[y : y + SIDE, x : x + SIDE] = True
    return ink


def save_lesson(folder: Path) -> Path:
    """Write the stack, and return its path."""
    values = np.random.default_rng(0).normal(20000, 2000, (12, *SHAPE))
    values[3:9, truth()] += 9000
    np.save(folder / "lesson.npy", values.clip(0, 65535).astype(np.uint16))
    return folder / "lesson.npy"


def strokes(count: int) -> list:
    """Return edits that label this many squares of ink, and as many of papyrus."""
    ink, papyrus = np.full((14, 14), 2, np.uint8), np.full((14, 14), 1, np.uint8)
    return [
        *(("ink", y + 5, x + 5, ink) for y, x in INK[:count]),
        *(("ink", y + 5, x, papyrus) for y, x in PAPYRUS[:count]),
    ]


def taught_model(key: str, is_better: bool = True, **checks: str) -> TaughtModel:
    """Return a row of the list of taught models; its key begins with its kind."""
    made_from = {"made_at": "2026-11-28T12:00:00+00:00", "started_from": "a", "started_from_sha256": "b"}
    before, after = StrokeScores(auc=0.61, f0_5=0.3, threshold=0.5), StrokeScores(auc=0.88, f0_5=0.6, threshold=0.4)
    counts = {"strokes": 9, "ink_px": 90, "papyrus_px": 90, "labels_sha256": "c", "judged_on": "Judged on 9."}
    kind = key.partition("-")[0]
    return TaughtModel(
        key=key,
        name=key,
        kind=kind,
        before=before,
        after=after,
        is_better=is_better,
        checks=checks,
        **made_from,
        **counts,
    )
