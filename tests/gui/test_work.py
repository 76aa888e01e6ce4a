"""What the status area shows: running work, messages, and whether all is saved."""

from pathlib import Path

import pytest

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import (
    ConversionStatus,
    ReviewStatus,
    RunProgress,
    SearchStatus,
    StorageStatus,
    TeachingStatus,
)
from napari_ink.gui.models.work import Notice, Work, WorkKind, notices_of, saved_line, work_of


@pytest.mark.parametrize(
    ("state", "work"),
    [
        (
            InkState(run=RunProgress(3, 20, 40.0)),
            Work(WorkKind.PREDICTION, "Predicting: tile 3 of 20, about 40 s left", 3, 20, is_paused=False),
        ),
        (
            InkState(run=RunProgress(3, 20, cancelling=True)),
            Work(WorkKind.PREDICTION, "Stopping after this batch…", 3, 20, can_cancel=False, is_paused=False),
        ),
        (
            InkState(teaching=TeachingStatus("Step", 60, 180, 100.0)),
            Work(WorkKind.LEARNING, "Learning: step 60 of 180, about 2 min left", 60, 180, is_paused=False),
        ),
        (InkState(similar=SearchStatus(0.25)), Work(WorkKind.SEARCH, "Finding similar strokes: 25%", 25, 100)),
        (InkState(review=ReviewStatus(busy="Ranking…")), Work(WorkKind.RANKING, "Ranking…")),
        (
            InkState(conversion=ConversionStatus(0.5, 7200)),
            Work(WorkKind.CONVERSION, "Converting to OME-Zarr: 50%, about 2 h 00 min left", 500, 1000),
        ),
        (InkState(busy="Reading a.png…"), Work(WorkKind.OTHER, "Reading a.png…", can_cancel=False)),
    ],
)
def test_work_is_described_with_its_progress(state, work):
    assert work_of(state) == (work,)


def test_everything_that_runs_is_listed():
    state = InkState(run=RunProgress(), conversion=ConversionStatus(0.1), busy="Writing…")
    assert [work.kind for work in work_of(state)] == ["prediction", "conversion", "other"]


def test_the_newest_message_comes_first_and_lasting_problems_last():
    state = InkState(
        messages=((Step.STACK, "First."), (Step.EXPORT, "Second.")),
        storage=StorageStatus(problem="The disk is full.", held_by="Berenike"),
        reading_error="03.tif cannot be read.",
    )
    assert notices_of(state)[:3] == (
        Notice("Second.", Step.EXPORT),
        Notice("First.", Step.STACK),
        Notice("The disk is full."),
    )
    assert [notice.text for notice in notices_of(state)[3:]] == [
        "Berenike has these labels open; close them there to edit them here.",
        "03.tif cannot be read.",
    ]


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        (StorageStatus(Path("a.ink")), "All saved in a.ink"),
        (StorageStatus(Path("a.ink"), is_saved=False), "Saving in a.ink…"),
        (StorageStatus(Path("a.ink"), problem="The disk is full."), "Not saved"),
        (StorageStatus(Path("a.ink"), held_by="Berenike"), "Read only"),
    ],
)
def test_whether_all_is_saved(storage, text):
    assert saved_line(InkState(labels=True, storage=storage)) == text
    assert saved_line(InkState(storage=storage)) == ""
