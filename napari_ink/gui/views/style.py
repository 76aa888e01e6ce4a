"""Style sheet of the dock, made from the colours of napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtGui import QFontDatabase

if TYPE_CHECKING:
    from pydantic_extra_types.color import Color

_SHEET = """
#inkHint, #inkSmall, #inkWarning {{ padding: 0px; margin: 0px; }}
#inkStep, #inkStatus {{ background: {raised}; border: none; }}
#inkStep QWidget, #inkStatus QWidget {{ background-color: transparent; }}
#inkStep QDialog {{ background-color: {window}; }}
#inkStep QMenu {{ background-color: {raised}; }}
#inkStatus {{ border-top: 1px solid {line}; }}
#inkHint, #inkSmall {{ color: {soft}; }}
#inkStrong {{ font-weight: bold; }}
#inkWarning, #inkStatus #inkMessage {{ color: {strong}; font-weight: bold; }}
#inkStatus #inkMessage {{ background: transparent; border: none; padding: 0px; }}
QPushButton#inkTab {{
    background: transparent; border: none; border-bottom: 3px solid transparent; border-radius: 0px; padding: 5px 0px;
    font-size: {small}pt;
}}
QPushButton#inkTab:hover {{ background-color: {line}; }}
QPushButton#inkTab[blocked="true"] {{ color: {faint}; }}
QPushButton#inkTab[done="true"] {{ border-bottom: 3px solid {done}; }}
QPushButton#inkTab:checked {{ background-color: {raised}; border-bottom: 3px solid {accent}; }}
#inkStep QPushButton {{
    background-color: {line}; border: 1px solid {line}; padding: 3px 5px; border-radius: 3px;
}}
#inkStep QPushButton:hover {{ background-color: {hover}; }}
#inkStep QPushButton:disabled {{ background-color: {raised}; color: {faint}; border: 1px solid {line}; }}
#inkStep QPushButton:checked {{ border: 2px solid {accent}; padding: 2px 4px; }}
#inkStep QPushButton#inkPrimary {{ font-weight: bold; }}
#inkStep QPushButton#inkPrimary:enabled {{ background: {accent}; color: black; }}
#inkStep QPushButton#inkPrimary:enabled:hover {{ background-color: {accent_hover}; }}
#inkStep QPushButton#inkSection, #inkStep QPushButton#inkSection:checked {{
    text-align: left; font-weight: bold; border: 1px solid {line}; padding: 3px 5px; background-color: {line};
}}
QPushButton#inkFlat {{ background-color: {line}; padding: 1px 6px; border-radius: 3px; font-size: {small}pt; }}
#inkLegend {{ font-size: {small}pt; }}
QPushButton#inkEye {{
    background-color: transparent; border: none; border-left: 4px solid {line}; border-radius: 0px; padding: 1px 6px;
    color: {faint}; text-align: left; font-size: {small}pt;
}}
QPushButton#inkEye:checked {{ border-left: 4px solid {accent}; color: {text}; }}
QPushButton#inkEye:hover {{ background-color: {hover}; }}
QPushButton#inkFlat:hover {{ background-color: {hover}; }}
QPushButton#inkFlat:disabled {{ color: {faint}; }}
#inkStep QToolButton#inkIcon {{
    background-color: {line}; border: 2px solid {line}; border-radius: 3px; padding: 0px;
}}
#inkStep QToolButton#inkIcon:hover {{ background-color: {hover}; border-color: {hover}; }}
#inkStep QToolButton#inkIcon:checked {{ border-color: {accent}; background-color: {hover}; }}
#inkStep QToolButton#inkIcon:disabled {{ background-color: transparent; color: {faint}; }}
#inkStep QListView {{ background-color: {line}; border: none; border-radius: 3px; font-size: {small}pt; }}
#inkStep #inkModels::item, #inkStep #inkPredictions::item {{ padding: 4px; }}
#inkTool QSpinBox, #inkTool QComboBox, #inkRange QSpinBox {{ min-width: 30px; }}
#inkStep QToolButton {{ font-size: {small}pt; }}
#inkStep QToolButton#inkIcon {{ font-family: "{fixed}"; }}
#inkStep QComboBox {{ background-color: {line}; padding: 2px 6px; border-radius: 3px; }}
#inkStep QProgressBar, #inkStatus QProgressBar {{
    background-color: {line}; border: none; border-radius: 3px; text-align: center;
}}
#inkStep QProgressBar::chunk, #inkStatus QProgressBar::chunk {{ background-color: {done}; border-radius: 3px; }}
"""
# Themes have no colour that stands out enough on all of them, so the accents are fixed.
_ACCENT, _ACCENT_HOVER, _DONE = "rgb(240, 174, 60)", "rgb(250, 194, 96)", "rgb(86, 180, 150)"
_STRONG_ON_LIGHT = "rgb(140, 70, 0)"  # the accent as text would be too pale on a light theme


def style_sheet(theme_name: str, font_pt: int) -> str:
    """Return the style sheet of the dock for a napari theme and napari's font size."""
    theme = get_theme(theme_name)
    return _SHEET.format(
        raised=theme.foreground.as_rgb(),
        # In small sizes of a proportional font, J and I can look alike; fixed fonts are made to tell letters apart.
        fixed=QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family(),
        small=font_pt,  # napari shows most text one point larger
        # Dialogs and menus of a step are windows, so they must not be transparent as its other parts are.
        window=theme.background.as_rgb(),
        line=theme.primary.as_rgb(),
        hover=theme.highlight.as_rgb(),
        text=theme.text.as_rgb(),
        soft=theme.text.as_rgb(),
        faint=_between(theme.text, theme.foreground),
        strong=_STRONG_ON_LIGHT if _is_light(theme.foreground) else _ACCENT,
        accent=_ACCENT,
        accent_hover=_ACCENT_HOVER,
        done=_DONE,
    )


def text_colour(theme_name: str) -> str:
    """Return the colour of text in a napari theme, ``#rrggbb``."""
    red, green, blue = get_theme(theme_name).text.as_rgb_tuple(alpha=False)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _is_light(colour: Color) -> bool:
    return sum(colour.as_rgb_tuple(alpha=False)) > 3 * 128


def _between(one: Color, other: Color) -> str:
    pairs = zip(one.as_rgb_tuple(alpha=False), other.as_rgb_tuple(alpha=False), strict=True)
    return "rgb({}, {}, {})".format(*((a + b) // 2 for a, b in pairs))
