"""Live teaching: answers block by block from the middle, heads only for new labels, and what it says without both."""

import numpy as np
import pytest

from napari_ink.gui.jobs.teaching import LIVE_SIDE_PX
from napari_ink.model import InkModel, load_model
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.region import Region
from napari_ink.stack import stack_of_array
from napari_ink.training import BlockAnswered, HeadFitted, LiveHead, LiveNote, StrokesRead
from napari_ink.training.teaching.blocks import BLOCK_PX
from napari_ink.training.teaching.features import MARGIN, FeatureCache
from napari_ink.training.teaching.live import MOST_LABELLED_BLOCKS
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
    assert [event.number for event in painted.answer() if isinstance(event, HeadFitted)] == [1]
    events = painted.answer(answered=frozenset(BLOCKS[:5]))
    assert [event.number for event in events if isinstance(event, HeadFitted)] == [1]
    assert [event.block for event in events if isinstance(event, BlockAnswered)] == [BLOCKS[5]]


def test_a_new_stroke_answers_all_blocks_again(painted):
    painted.answer()
    painted.labels[200:220, 400:460] = 1
    events = painted.answer(answered=frozenset(BLOCKS))
    assert [event.number for event in events if isinstance(event, HeadFitted)] == [2]
    assert len([event for event in events if isinstance(event, BlockAnswered)]) == len(BLOCKS)


def test_of_many_labelled_blocks_the_nearest_teach(painted, monkeypatch):
    monkeypatch.setattr("napari_ink.training.teaching.live.MOST_LABELLED_BLOCKS", 2)
    events = painted.answer(Region(0, 100, 0, 100))
    assert [event.total for event in events if isinstance(event, StrokesRead)] == [2, 2]


def test_the_features_of_the_largest_view_and_its_labels_fit_in_the_cache():
    model = load_model()
    stack = stack_of_array(np.zeros((model.contract.depth_layers, 64, 64), np.uint16), "empty")
    cache = FeatureCache(model, stack)
    channels = cache.block((0, 0)).shape[0]
    side = BLOCK_PX // STEP_PX + 2 * MARGIN
    blocks = MOST_LABELLED_BLOCKS + (LIVE_SIDE_PX // BLOCK_PX + 1) ** 2
    assert blocks * channels * side * side * 2 <= cache._most_bytes


def test_an_answer_equals_what_the_quick_model_predicts_there(painted):
    found = {event.block: event.ink for event in painted.answer() if isinstance(event, BlockAnswered)}
    head, cache = painted.head._head, painted.head._cache
    area = Region(0, 256, 0, 256)
    np.testing.assert_allclose(found[0, 0][:-4, :-4], head.area(cache, area)[:-4, :-4], atol=1)


def test_the_whitening_is_made_again_only_for_strokes_in_other_blocks(painted):
    painted.answer()
    before = painted.head._whitened
    painted.labels[150:170, 400:460] = 1
    painted.answer()
    assert painted.head._whitened is before
    painted.labels[150:170, 530:550] = 1
    painted.answer()
    assert painted.head._whitened is not before
