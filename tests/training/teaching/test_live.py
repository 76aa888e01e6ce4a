"""Live teaching: answers block by block from the middle, forests only for new labels, and what it says without both."""

import numpy as np
import pytest

from napari_ink.model import InkModel
from napari_ink.region import Region
from napari_ink.stack import stack_of_array
from napari_ink.training import AreaAnswered, BlockAnswered, ForestFitted, LiveHead, LiveNote, StrokesRead
from tests.training.small import CONTRACT

SHAPE = (300, 560)
WHOLE = Region.whole(SHAPE)
BLOCKS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


class Page:
    """A stack with bright ink in its left half, and labels that a test paints."""

    def __init__(self, start: InkModel) -> None:
        volume = np.random.default_rng(0).normal(20000, 2000, (CONTRACT.depth_layers, *SHAPE))
        volume[:, :, : SHAPE[1] // 2] += 12000
        self.labels = np.zeros(SHAPE, np.uint8)
        stack = stack_of_array(volume.clip(0, 65535).astype(np.uint16), "page")
        self.head = LiveHead(start, stack, lambda area: self.labels[area.slices])

    def answer(self, area=WHOLE, answered=frozenset()):
        return list(self.head.answer(BLOCKS, area, answered))


@pytest.fixture
def page(start) -> Page:
    return Page(start)


@pytest.fixture
def painted(page) -> Page:
    page.labels[100:120, 40:100] = 2
    page.labels[100:120, 400:460] = 1
    return page


def test_one_kind_of_label_gets_a_sentence(page):
    assert isinstance(page.answer()[-1], LiveNote)
    page.labels[100:120, 40:100] = 2
    last = page.answer()[-1]
    assert isinstance(last, LiveNote)
    assert "some ink and some papyrus" in last.text


def test_the_map_comes_block_by_block_from_the_middle(painted):
    events = painted.answer()
    assert [event.done for event in events if isinstance(event, StrokesRead)] == [1, 2, 3, 4, 5, 6]
    blocks = [event for event in events if isinstance(event, BlockAnswered)]
    assert blocks[0].block == (0, 1)
    assert {event.block for event in blocks} == set(BLOCKS)
    seen = np.zeros(SHAPE, np.uint8)
    for event in blocks:
        seen[event.region.slices] = event.ink
    assert seen[:, :240].mean() > seen[:, 320:].mean() + 100


def test_a_view_that_moved_needs_new_blocks_only(painted):
    assert [event.number for event in painted.answer() if isinstance(event, ForestFitted)] == [1]
    events = painted.answer(answered=frozenset(BLOCKS[:5]))
    assert [event.number for event in events if isinstance(event, ForestFitted)] == [1]
    assert [event.block for event in events if isinstance(event, BlockAnswered)] == [BLOCKS[5]]


def test_a_new_stroke_answers_all_blocks_again(painted):
    painted.answer()
    painted.labels[200:220, 400:460] = 1
    events = painted.answer(answered=frozenset(BLOCKS))
    assert [event.number for event in events if isinstance(event, ForestFitted)] == [2]
    assert len([event for event in events if isinstance(event, BlockAnswered)]) == len(BLOCKS)


def test_of_many_labelled_blocks_the_nearest_teach(painted, monkeypatch):
    monkeypatch.setattr("napari_ink.training.teaching.live.MOST_LABELLED_BLOCKS", 2)
    events = painted.answer(Region(0, 100, 0, 100))
    assert [event.total for event in events if isinstance(event, StrokesRead)] == [2, 2]


def test_a_better_blend_follows_the_answer_and_holds_for_the_next_stroke(painted, monkeypatch):
    monkeypatch.setattr("napari_ink.training.teaching.live.choose_blend", lambda *_: 0.25)
    kinds = [type(event) for event in painted.answer() if not isinstance(event, StrokesRead)]
    answers = [BlockAnswered] * len(BLOCKS)
    assert kinds == [ForestFitted, *answers, AreaAnswered, ForestFitted, *answers]
    assert painted.answer(answered=frozenset(BLOCKS))[-1] == AreaAnswered()
    painted.labels[200:220, 400:460] = 1
    kinds = [type(event) for event in painted.answer() if not isinstance(event, StrokesRead)]
    assert kinds == [ForestFitted, *answers, AreaAnswered]


def test_a_newer_answer_ends_the_choice_of_a_blend(painted, monkeypatch):
    asked = []

    def validate(*_, stop, **__):
        painted.head._calls += 1  # as a newer stroke does on another thread
        asked.append(stop())

    monkeypatch.setattr("napari_ink.training.teaching.live.cross_validate", validate)
    assert painted.answer()[-1] == AreaAnswered()
    assert asked == [True]


def test_the_values_of_the_network_are_its_logits(painted):
    rows = np.zeros((1, 9999), np.float16)
    rows[0, painted.head._cache.ink_logit] = 2.0
    np.testing.assert_allclose(painted.head._of_network(rows), 1 / (1 + np.exp(-2.0)), rtol=1e-3)
