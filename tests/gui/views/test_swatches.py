"""The squares of the legends, as they are drawn."""

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_ink.annotation import ReviewState
from napari_ink.gui.models.review_marks import MARKED_STATES
from napari_ink.gui.views import ReviewPanel
from napari_ink.gui.views.swatches import Swatch

CREAM = (1.0, 0.97, 0.85)


def _drawn(widget) -> np.ndarray:
    """Return the pixels of a widget ``(y, x, rgb)``."""
    image = widget.grab().toImage()
    colours = (image.pixelColor(x, y) for y in range(image.height()) for x in range(image.width()))
    return np.array([colour.getRgb()[:3] for colour in colours]).reshape(image.height(), image.width(), 3)


@pytest.mark.parametrize("ground", ["white", "black"])
def test_a_pale_colour_has_an_outline_in_every_theme(qtbot, ground):
    swatch = Swatch(CREAM)
    qtbot.addWidget(swatch)
    swatch.setStyleSheet(f"background: {ground}")
    swatch.resize(swatch.sizeHint())
    seen = _drawn(swatch)
    assert (seen[0] == 128).all() and (seen[:, -1] == 128).all()
    np.testing.assert_allclose(seen[2:-2, 2:-2], np.broadcast_to(np.array(CREAM) * 255, seen[2:-2, 2:-2].shape), atol=1)


def test_the_review_step_explains_the_marks_in_the_picture(qtbot):
    panel = ReviewPanel()
    qtbot.addWidget(panel)
    panel.show()
    assert [label.text() for label in panel.marks.findChildren(QLabel)] == ["reviewed", "flagged", "in progress"]
    seen = [_drawn(swatch) for swatch in panel.marks.swatches.values()]
    assert len(seen) == len(MARKED_STATES) == len(ReviewState) - 1
    middle = slice(3, -3), slice(3, -3)
    # Nothing is drawn into the middle but the hatching of flagged regions, and only a dashed frame has gaps.
    assert [one[middle].std() > 0 for one in seen] == [False, True, False]
    assert [one[0, 1:-1].std() > 0 for one in seen] == [False, False, True]
