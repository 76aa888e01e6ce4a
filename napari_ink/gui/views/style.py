"""Style sheet of the dock, made from the colours of napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme

from napari_ink.gui.models.palette import EDGE_RGB, INK_RGB

if TYPE_CHECKING:
    from pydantic_extra_types.color import Color

_SHEET = """
#inkStep {{ background: {raised}; border: 1px solid {raised}; border-left: 3px solid {raised}; border-radius: 4px; }}
#inkStep[current="true"] {{ border-left: 3px solid {accent}; }}
#inkStep QWidget {{ background-color: transparent; }}
#inkTitle {{ font-size: 15px; font-weight: bold; }}
#inkStep[blocked="true"] #inkTitle, #inkStep[blocked="true"] #inkHint {{ color: {faint}; }}
#inkStep #inkBadge {{ border-radius: 11px; font-weight: bold; color: {text}; background-color: {line}; border: none; }}
#inkStep[current="true"] #inkBadge {{ background-color: {accent}; color: black; }}
#inkStep[done="true"] #inkBadge {{ background-color: {done}; color: black; }}
#inkHint, #inkSmall {{ color: {soft}; }}
#inkStrong {{ font-weight: bold; }}
#inkStep #inkMessage {{ background: transparent; color: {accent}; font-weight: bold; border: none; padding: 0px; }}
#inkWarning {{ color: {accent}; font-weight: bold; }}
#inkStep QPushButton {{ background-color: {line}; padding: 5px 8px; border-radius: 3px; }}
#inkStep QPushButton:hover {{ background-color: {hover}; }}
#inkStep QPushButton:disabled {{ background-color: {raised}; color: {faint}; border: 1px solid {line}; }}
#inkStep QPushButton:checked {{ background-color: {line}; border: 2px solid {accent}; padding: 3px 6px; }}
#inkStep[current="true"] QPushButton#inkPrimary:enabled {{ background: {accent}; color: black; font-weight: bold; }}
#inkStep[current="true"] QPushButton#inkPrimary:hover {{ background-color: {accent_hover}; }}
#inkStep QPushButton#inkSection, #inkStep QPushButton#inkSection:checked {{
    text-align: left; font-weight: bold; border: none; padding: 5px 8px; background-color: {line};
}}
#inkStep QListView {{ background-color: {line}; border: none; border-radius: 3px; }}
#inkStep #inkModels::item, #inkStep #inkPredictions::item {{ padding: 4px; }}
#inkStep QComboBox {{ background-color: {line}; padding: 2px 6px; border-radius: 3px; }}
#inkStep QProgressBar {{ background-color: {line}; border: none; border-radius: 3px; text-align: center; }}
#inkStep QProgressBar::chunk {{ background-color: {done}; border-radius: 3px; }}
"""
# Themes have no colour that stands out enough on all of them, so the accents are fixed.
_ACCENT, _ACCENT_HOVER, _DONE = "rgb(240, 174, 60)", "rgb(250, 194, 96)", "rgb(86, 180, 150)"


def style_sheet(theme_name: str) -> str:
    """Return the style sheet of the dock for a napari theme."""
    theme = get_theme(theme_name)
    return _SHEET.format(
        raised=theme.foreground.as_rgb(),
        line=theme.primary.as_rgb(),
        hover=theme.highlight.as_rgb(),
        text=theme.text.as_rgb(),
        soft=theme.text.as_rgb(),
        faint=_between(theme.text, theme.foreground),
        accent=_ACCENT,
        accent_hover=_ACCENT_HOVER,
        done=_DONE,
    )


def _between(one: Color, other: Color) -> str:
    pairs = zip(one.as_rgb_tuple(alpha=False), other.as_rgb_tuple(alpha=False), strict=True)
    return "rgb({}, {}, {})".format(*((a + b) // 2 for a, b in pairs))


def css(rgb: tuple[float, ...]) -> str:
    """Return a colour with parts 0…1 in the syntax of style sheets."""
    red, green, blue = (round(255 * part) for part in rgb[:3])
    return f"rgb({red}, {green}, {blue})"


INK_CSS, EDGE_CSS = css(INK_RGB), css(EDGE_RGB)
