"""Icons of the tools, drawn as lines in the text colour of the theme.

Each icon is the inside of an SVG of 24 × 24 units. ``fill="currentColor"`` marks what is ink.
"""

from __future__ import annotations

from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

_SHAPES = {
    # Ink: a brush with a drop; papyrus: a sheet with fibres; erase: a rubber.
    "ink": '<path d="M20 3 11 12"/><path d="M11 12c-3 0-4 2-4 4s-1 3-3 4c5 1 9-1 9-5 0-2-1-3-2-3z" fill="COLOUR"/>',
    "papyrus": '<rect x="4" y="4" width="16" height="16" rx="1"/><path d="M4 9h16M4 14h16M9 4v16M14 4v16"/>',
    "erase": '<path d="M9 20H21M4 15 14 5l6 6-9 9H8z"/><path d="M9 10l6 6"/>',
    "edge_brush": (
        '<path d="M18 3v18" stroke-width="2.6"/><path d="M14 5 8 11"/>'
        '<path d="M8 11c-2.5 0-4 2-4 4s-1 3-2 4c4 1 8-1 8-4 0-2-1-4-2-4z" fill="COLOUR"/><path d="M12 16h4"/>'
    ),
    "fill_ink": (
        '<path d="M5 12 12 4l8 8-8 7z"/><path d="M5 12h15l-8 7z" fill="COLOUR"/><path d="M12 4 9 1"/>'
        '<path d="M21.5 15c1 2 1.5 3 1.5 4a1.5 1.5 0 0 1-3 0c0-1 .5-2 1.5-4z" fill="COLOUR"/>'
    ),
    "grow": (
        '<path d="M9 12c1-2 5-2 6 0s-5 2.5-6 0z" fill="COLOUR"/><path d="M12 7V3M12 21v-4M7 12H3M21 12h-4"/>'
        '<path d="M10 5l2-2 2 2M10 19l2 2 2-2M5 10l-2 2 2 2M19 10l2 2-2 2"/>'
    ),
    "find_similar": '<rect x="3" y="3" width="10" height="10" stroke-dasharray="2.5 2"/>'
    '<circle cx="14" cy="14" r="5"/><path d="M18 18l4 4" stroke-width="2.6"/>',
    # Edges: a contour; no edge: a contour crossed out.
    "edge": '<path d="M3 17c4 0 4-9 9-9s5 6 9 6" stroke-width="2.6"/>',
    "not_edge": '<path d="M3 15c4 0 4-8 9-8s5 6 9 6" stroke-dasharray="2 2"/><path d="M6 21 18 3" stroke-width="2.2"/>',
    "livewire": (
        '<path d="M5 18C4 10 8 5 13 5s7 5 6 9"/><path d="M19 14c-1 3-4 5-9 5" stroke-dasharray="2 2"/>'
        '<rect x="3" y="16" width="4" height="4" fill="COLOUR"/><rect x="11" y="3" width="4" height="4" fill="COLOUR"/>'
        '<rect x="17" y="12" width="4" height="4" fill="COLOUR"/>'
    ),
    "erase_fragment": '<path d="M3 8c4 0 5 3 9 3s5-3 9-3"/><path d="M8 14l8 8M16 14l-8 8"/>',
    "join": '<path d="M2 16c3 0 5-2 6-5" stroke-width="2.6"/><path d="M22 16c-3 0-5-2-6-5" stroke-width="2.6"/>'
    '<path d="M9 8c2-2 4-2 6 0" stroke-dasharray="2 1.5"/>',
    # The visible region: a frame around what changes.
    "remove_specks": (
        '<path d="M3 7V3h4M17 3h4v4M21 17v4h-4M7 21H3v-4"/><path d="M8 9h2M14 8h1M9 15h1M14 15h2"/>'
        '<path d="M6 18 18 6"/>'
    ),
    "bridge_gaps": (
        '<path d="M3 7V3h4M17 3h4v4M21 17v4h-4M7 21H3v-4"/><path d="M5 12h4M15 12h4" stroke-width="2.6"/>'
        '<path d="M10.5 12h3" stroke-dasharray="1.2 1"/>'
    ),
    "ink_from_edges": (
        '<circle cx="6" cy="12" r="4"/><path d="M11 12h4M13.5 10l2 2-2 2"/>'
        '<circle cx="19" cy="12" r="4" fill="COLOUR"/>'
    ),
    "edges_from_ink": (
        '<circle cx="5" cy="12" r="4" fill="COLOUR"/><path d="M10 12h4M12.5 10l2 2-2 2"/>'
        '<circle cx="19" cy="12" r="4"/>'
    ),
    "undo": '<path d="M4 9h10a5 5 0 0 1 0 11H9"/><path d="M8 5 4 9l4 4"/>',
    "redo": '<path d="M20 9H10a5 5 0 0 0 0 11h5"/><path d="M16 5l4 4-4 4"/>',
    "help": '<rect x="2" y="6" width="20" height="12" rx="2"/><path d="M6 10h1M11 10h1M16 10h1M8 14h8"/>',
    # Display: an eye for the labels (solid) and the prediction (outlined).
    "blink_labels": '<path d="M2 12c5-8 15-8 20 0-5 8-15 8-20 0z"/><circle cx="12" cy="12" r="3" fill="COLOUR"/>',
    "blink_prediction": '<path d="M2 12c5-8 15-8 20 0-5 8-15 8-20 0z" stroke-dasharray="3 2"/>'
    '<circle cx="12" cy="12" r="3"/>',
    "difference": '<circle cx="9" cy="12" r="6.5"/><circle cx="15" cy="12" r="6.5"/>'
    '<path d="M9 5.500a6.5 6.5 0 0 0 0 13 8 8 0 0 1 0-13z" fill="COLOUR"/>',
    "swap": '<path d="M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4"/>',
    "plain_view": '<path d="M4 20V4M4 20h16"/><path d="M2 6l2-3 2 3M18 18l3 2-3 2"/>'
    '<rect x="9" y="7" width="8" height="8"/>',
    "fainter": '<circle cx="12" cy="12" r="8" stroke-dasharray="2 2"/><path d="M8 12h8"/>',
    "stronger": '<circle cx="12" cy="12" r="8"/><path d="M8 12h8M12 8v8"/>',
}
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour}" stroke-width="1.7" '
    'stroke-linecap="round" stroke-linejoin="round">{shape}</svg>'
)
_ALIASES = {"erase_ink": "erase", "erase_edge": "erase"}
_PX = 96  # larger than on any screen, since Qt only scales down sharply
_FAINT = 0.35


def icon_names() -> set[str]:
    """Return the names of actions and tools that have an icon."""
    return {*_SHAPES, *_ALIASES}


def icon(name: str, colour: str) -> QIcon:
    """Return the icon of an action or tool in a colour, such as ``#ffffff``; faint while its button is disabled."""
    shape = _SHAPES[_ALIASES.get(name, name)].replace("COLOUR", colour)
    made = QIcon()
    for mode, opacity in ((QIcon.Mode.Normal, 1.0), (QIcon.Mode.Disabled, _FAINT)):
        made.addPixmap(_drawn(_SVG.format(colour=colour, shape=shape), opacity), mode)
    return made


def _drawn(svg: str, opacity: float) -> QPixmap:
    pixmap = QPixmap(_PX, _PX)
    pixmap.fill(QColor(Qt.GlobalColor.transparent))
    painter = QPainter(pixmap)
    painter.setOpacity(opacity)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, _PX, _PX))
    painter.end()
    return pixmap
