"""Review states, the queue, notes and figures."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.annotation import Annotation
from napari_ink.annotation.review.notes import Notes
from napari_ink.annotation.review.ranking import RegionScore, rank, score_regions, seconds_left
from napari_ink.annotation.review.review import (
    ReviewState,
    cell_at,
    cell_bounds,
    labels_to_learn_from,
    supervision,
)
from napari_ink.annotation.review.statistics import statistics
from napari_ink.annotation.review.variety import FIRST, varied
from napari_ink.annotation.store.edits import REGION_PX

SHAPE = (600, 700)


@given(st.integers(0, 599), st.integers(0, 699))
def test_every_pixel_is_within_the_bounds_of_its_region(y, x):
    y0, y1, x0, x1 = cell_bounds(cell_at(y, x), SHAPE)
    assert y0 <= y < y1 <= 600
    assert x0 <= x < x1 <= 700


@given(st.integers(0, 9999), st.integers(0, 300), st.integers(0, 300))
def test_supervision_follows_labels_and_states_pixel_by_pixel(seed, y, x):
    rng = np.random.default_rng(seed)
    review = rng.integers(0, 4, (3, 3), dtype=np.uint8)
    ink = rng.integers(0, 3, (40, 300), dtype=np.uint8)
    seen, learnt = supervision(ink, review, y, x), labels_to_learn_from(ink, review, y, x)
    for row, column in rng.integers(0, (40, 300), (60, 2)):
        state, value = review[(y + row) // REGION_PX, (x + column) // REGION_PX], ink[row, column]
        expected = {0: value, 1: value, 2: value or 1, 3: 0}[int(state)]
        assert learnt[row, column] == expected
        assert seen[row, column] == (expected != 0)


def _region_reader(plane):
    return lambda y, x: plane[y[0] : y[1], x[0] : x[1]]


def _scores(ink, edge, labels, review):
    return list(score_regions(SHAPE, _region_reader(ink), _region_reader(edge), _region_reader(labels), review))


def test_the_queue_starts_with_doubtful_ink():
    ink, edge, labels = (np.zeros(SHAPE, np.uint8) for _ in range(3))
    review = np.zeros((3, 3), np.uint8)
    ink[20:80, 20:80] = 255  # confident ink with edges around it
    edge[18:82, 18:82] = 255
    edge[22:78, 22:78] = 0
    ink[300:400, 20:120] = 140  # doubtful
    ink[20:80, 300:360] = 255  # confident ink without edges
    ink[300:340, 300:340], labels[300:340, 300:340] = 255, 1  # confident ink labelled as papyrus
    ranked = rank(_scores(ink, edge, labels, review))
    order = [score.region for score in ranked]
    assert len(order) == 9
    assert set(order[:3]) == {(1, 0), (0, 1), (1, 1)}
    by_region = {score.region: score for score in ranked}
    assert by_region[1, 0].uncertainty > 0.1 > by_region[0, 1].uncertainty
    assert by_region[0, 0].disagreement == 0
    assert by_region[0, 1].disagreement == 1
    assert by_region[1, 1].contradiction == 1
    assert by_region[2, 2].worth < 1e-5
    assert [score.worth for score in ranked] == sorted((score.worth for score in ranked), reverse=True)


def test_regions_where_two_models_disagree_come_first_and_say_so():
    ink, other = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    ink[:128, :64], other[:128, 32:64] = 255, 255  # half of a sixth
    other[300:428, 300:428] = 255  # only the second model sees this quarter of a region
    nothing, review = _region_reader(np.zeros(SHAPE, np.uint8)), np.zeros((3, 3), np.uint8)
    found = list(score_regions(SHAPE, _region_reader(ink), nothing, nothing, review, other=_region_reader(other)))
    by_region = {score.region: score for score in found}
    assert by_region[1, 1].between_models == by_region[1, 1].content == 0.25
    assert by_region[0, 0].between_models == 128 * 32 / 256**2
    assert by_region[2, 2].between_models == 0
    assert by_region[1, 1].reason == "The two models disagree on 25% of it."
    assert by_region[2, 2].reason == "Nothing there is doubtful."
    # Without the second model nothing speaks for that region, and the first one's outlines without edges do.
    assert rank(found)[0].region == (0, 0)
    alone = {score.region: score for score in _scores(ink, np.zeros_like(ink), np.zeros_like(ink), review)}
    assert alone[1, 1].reason == "Nothing there is doubtful."
    assert alone[0, 0].reason == "Predicted ink and edges disagree on 100% of the outlines."


def test_thresholds_of_both_models_decide_where_they_disagree():
    plane, nothing = _region_reader(np.full(SHAPE, 100, np.uint8)), _region_reader(np.zeros(SHAPE, np.uint8))
    given = (SHAPE, plane, nothing, nothing, np.zeros((3, 3), np.uint8), 0.3)
    assert all(score.between_models == 0 for score in score_regions(*given, other=plane, other_threshold=0.35))
    assert all(score.between_models == 1 for score in score_regions(*given, other=plane, other_threshold=0.45))


def region(number, uncertainty, *description):
    return RegionScore((0, number), uncertainty, 0.0, 0.0, 0.25, description=description)


def test_unlike_regions_come_before_more_of_the_same():
    same = [region(number, 0.9 - number / 100, 0.0, 0.0) for number in range(4)]
    ordered = varied([*same, region(8, 0.5, 1.0, 1.0), region(9, 0.01, 0.0, 1.0)])
    assert [score.region[1] for score in ordered] == [0, 8, 1, 2, 3, 9]
    assert [round(score.novelty, 2) for score in ordered] == [0, 1, 0, 0, 0, 0.71]
    assert ordered[0].reason == "The prediction is unsure."
    assert ordered[1].reason == ("The prediction is unsure, and it is unlike the regions before it.")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=90))
def test_variety_keeps_all_regions_and_starts_with_the_worthiest(values):
    scores = [region(number, worth, place) for number, (worth, place) in enumerate(values)]
    ordered = varied(scores)
    assert sorted(score.region for score in ordered) == [score.region for score in scores]
    if ordered:
        assert ordered[0].worth == max(score.worth for score in scores)
    # Beyond those that anyone reviews before the next ranking, worth alone decides.
    rest = [score.worth for score in ordered[FIRST:]]
    assert rest == sorted(rest, reverse=True)


def test_regions_without_descriptions_are_ordered_by_worth():
    scores = [region(number, number / 10) for number in range(5)]
    assert [score.region[1] for score in varied(scores)] == [4, 3, 2, 1, 0]


def test_reviewed_and_flagged_cells_are_not_suggested_again():
    empty = np.zeros(SHAPE, np.uint8)
    review = np.array([[0, 1, 2], [3, 0, 0], [2, 2, 2]], np.uint8)
    assert [score.region for score in _scores(empty, empty, empty, review)] == [(0, 0), (0, 1), (1, 1), (1, 2)]


def test_the_remaining_time_uses_the_median():
    assert seconds_left([], 10) is None
    assert seconds_left([10, 12, 500], 3) == 36


def test_notes_are_stored_with_author_and_time(tmp_path):
    notes = Notes(tmp_path / "notes.json")
    first = notes.add(10, 20, "A kappa? Ask Maria.", "ada")
    notes.add(30, 40, "Worm hole", "bob")
    again = Notes(tmp_path / "notes.json")
    assert [(note.y, note.x, note.text, note.author) for note in again] == [
        (10, 20, "A kappa? Ask Maria.", "ada"),
        (30, 40, "Worm hole", "bob"),
    ]
    assert datetime.fromisoformat(first.at).tzinfo is not None
    again.remove(first)
    assert [note.text for note in Notes(tmp_path / "notes.json")] == ["Worm hole"]
    (tmp_path / "notes.json").write_text("{")
    damaged = Notes(tmp_path / "notes.json")
    assert len(damaged) == 0 and "cannot be read" in damaged.warning


def test_progress_figures(tmp_path):
    annotation = Annotation(tmp_path, SHAPE, "ada")
    annotation.apply([("ink", 0, 0, np.full((100, 100), 2, np.uint8))], "brush")
    annotation.apply([("ink", 0, 0, np.full((50, 100), 1, np.uint8))], "brush")
    annotation.apply([("review", 0, 0, np.full((1, 2), ReviewState.REVIEWED, np.uint8))], "review")
    annotation.apply([("review", 1, 0, np.full((1, 1), ReviewState.FLAGGED, np.uint8))], "review")
    found = statistics(annotation, 7.91)
    assert (found.ink_px, found.papyrus_px) == (5000, 5000)
    assert found.ink_cm2 == pytest.approx(5000 * 7.91e-4**2)
    assert (found.regions, found.reviewed, found.flagged, found.in_progress) == (9, 2, 1, 0)
    assert (found.changes, found.changes_today) == (4, 4)
    assert statistics(annotation, None).ink_cm2 is None
    assert statistics(annotation, None, datetime.now(UTC) + timedelta(days=2)).changes_today == 0
    annotation.close()
