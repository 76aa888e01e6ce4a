"""Themes in a real window: what opens over the panel can be read in each of them."""

import pytest
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QDialog, QMenu, QWidget

from napari_ink.gui.views.models_dialog import ModelsDialog

_LEAST_CONTRAST = 4.5  # of WCAG 2, for text


def _luminance(colour: QColor) -> float:
    parts = ((part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4) for part in colour.getRgbF()[:3])
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def _contrast(window: QWidget, text: QColor) -> float:
    lighter, darker = sorted((_luminance(window.grab().toImage().pixelColor(3, 3)), _luminance(text)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_dialogs_and_menus_of_a_step_have_the_background_of_the_theme(dock, viewer, theme, qtbot):
    viewer.theme = theme
    text = QColor(*get_theme(theme).text.as_rgb_tuple(alpha=False))
    menu = QMenu(dock.stack)
    menu.addAction("A segment")
    models = ModelsDialog(dock.predict)
    for window in (QDialog(dock.correct), menu, models):
        window.show()
        qtbot.wait(50)
        assert _contrast(window, text) >= _LEAST_CONTRAST, window
        window.close()
    assert models.list.document().defaultStyleSheet() == f"a {{ color: {text.name()}; }}"
