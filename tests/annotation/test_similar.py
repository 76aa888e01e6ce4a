"""Find similar: strokes planted in noise, rotated and scaled, are found at their positions."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.feature import match_template

from napari_ink.annotation import find_similar
from napari_ink.annotation.similar import ANGLES, SCALES
from napari_ink.errors import LabelError

SHAPE = (900, 700)
# A letter of three strokes, like a lambda with a bar, which noise does not resemble.
LETTER = np.zeros((48, 40), bool)
for a, b in (((4, 6), (44, 18)), ((44, 2), (20, 22)), ((6, 20), (46, 36))):
    (y0, x0), (y1, x1) = a, b
    normal = np.array([x1 - x0, y0 - y1]) / np.hypot(x1 - x0, y1 - y0) * 2.5
    ends = np.array([(y0, x0), (y1, x1)], float)
    LETTER |= polygon2mask(LETTER.shape, np.concatenate([ends + normal, (ends - normal)[::-1]]))


def planted(places, seed=0, noise=0.5, scale_of_all=1):
    """A picture with the letter centred at each (y, x, angle, scale)."""
    picture = np.zeros(SHAPE, np.float32)
    for y, x, angle, scale in places:
        letter = ndimage.rotate(
            ndimage.zoom(np.pad(LETTER, 12).astype(np.float32), scale, order=1), angle, order=1, reshape=False
        )
        top, left = y - letter.shape[0] // 2, x - letter.shape[1] // 2
        picture[top : top + letter.shape[0], left : left + letter.shape[1]] += letter
    return picture + np.random.default_rng(seed).normal(0, noise, SHAPE).astype(np.float32)


def reader(picture):
    return lambda y, x: picture[slice(*y), slice(*x)]


def search(picture, box, ink=LETTER, **more):
    *_, last = find_similar(picture.shape, box, ink, [reader(picture)], **more)
    assert last.done == 1
    return last.candidates


BOX = (100 - 24, 100 + 24, 120 - 20, 120 + 20)


def test_only_planted_strokes_are_found_even_rotated_and_scaled():
    places = [(100, 120, 0, 1), (400, 300, 12, 1), (650, 150, -14, 0.9), (700, 560, 5, 1.15), (250, 600, 0, 1)]
    found = search(planted(places, noise=0.4), BOX, least_score=0.45)
    assert len(found) == 4
    for y, x, angle, scale in places[1:]:
        one = min(found, key=lambda candidate: (candidate.y - y) ** 2 + (candidate.x - x) ** 2)
        assert np.hypot(one.y - y, one.x - x) <= 3
        assert abs(one.angle - angle) <= 8
        assert abs(one.scale - scale) <= 0.16
        assert one.score > 0.5
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("angle", [0, 12])
def test_a_match_covers_the_planted_ink(angle):
    places = [(100, 120, 0, 1), (500, 400, angle, 1)]
    (one,) = search(planted(places, noise=0.2), BOX)
    drawn = np.zeros(SHAPE, bool)
    top, left = one.corner
    drawn[top : top + one.ink.shape[0], left : left + one.ink.shape[1]] = one.ink
    truth = planted(places[1:], noise=0) > 0.5
    assert (drawn & truth).sum() / (drawn | truth).sum() > 0.6
    assert drawn.sum() < 1.3 * truth.sum()


def test_correlation_equals_a_brute_force_at_full_size():
    picture = planted([(100, 120, 0, 1), (500, 400, 0, 1)], noise=0.3)
    (one,) = search(picture, BOX)
    brute = match_template(picture, picture[BOX[0] : BOX[1], BOX[2] : BOX[3]], pad_input=True)
    brute[60:140, 80:160] = 0
    y, x = np.unravel_index(brute.argmax(), SHAPE)
    assert np.hypot(one.y - y, one.x - x) <= 1.5
    assert abs(one.score - brute.max()) < 0.05


def test_noise_alone_gives_nothing():
    assert search(planted([(100, 120, 0, 1)]), BOX, least_score=0.5) == ()


def test_a_blank_prediction_makes_the_picture_decide():
    picture = planted([(100, 120, 0, 1), (500, 400, 0, 1)], noise=0.2)
    blank = np.zeros(SHAPE, np.float32)
    *_, last = find_similar(SHAPE, BOX, LETTER, [reader(blank), reader(picture)], least_score=0.4)
    assert [(one.y, one.x) for one in last.candidates] == [pytest.approx((500, 400), abs=3)]


def test_bands_are_searched_as_one_picture(monkeypatch):
    places = [(100, 120, 0, 1), (296, 300, 10, 1), (640, 150, 0, 1), (620, 560, 5, 1.15)]
    whole = search(planted(places), BOX)
    monkeypatch.setattr("napari_ink.annotation.similar._BAND_PX", 50)
    assert [(one.y, one.x) for one in search(planted(places), BOX)] == [(one.y, one.x) for one in whole]


def test_a_search_reports_progress_and_can_be_stopped():
    searching = find_similar(SHAPE, BOX, LETTER, [reader(planted([(100, 120, 0, 1)]))])
    steps = [next(searching).done for _ in range(5)]
    assert steps == sorted(steps)
    assert 0 < steps[0] < 1 / len(ANGLES) / len(SCALES) + 0.01
    searching.close()


@pytest.mark.parametrize(
    ("box", "ink", "message"),
    [((0, 4, 0, 90), np.ones((4, 90), bool), "at least 6"), (BOX, np.zeros((48, 40), bool), "no ink in the box")],
)
def test_a_box_without_ink_or_size_is_refused(box, ink, message):
    with pytest.raises(LabelError, match=message):
        search(planted([]), box, ink)


def test_a_blank_box_is_refused():
    with pytest.raises(LabelError, match="no contrast"):
        search(np.zeros(SHAPE, np.float32), BOX)
