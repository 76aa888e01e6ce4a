"""Bar of icon buttons in the step Correct: tools, actions on the visible region, undo and display."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from napari_ink.gui.models.actions import EDGE_BRUSHES, TITLES, Tool
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.icons import icon

PLAIN_VIEW = "plain_view"
_CHANGES = ("undo", "redo", "help")
# Rows of tools and actions, each with its heading. Tooltips and keys are those of the actions.
_ROWS: dict[str, tuple[Tool | str, ...]] = {
    "Ink": (
        Tool.INK,
        Tool.PAPYRUS,
        Tool.ERASE_INK,
        Tool.EDGE_BRUSH,
        Tool.FILL_INK,
        Tool.GROW,
        Tool.FIND_SIMILAR,
    ),
    "Edges": (Tool.EDGE, Tool.NOT_EDGE, Tool.ERASE_EDGE, Tool.LIVEWIRE, Tool.ERASE_FRAGMENT, Tool.JOIN),
    "View": ("remove_specks", "bridge_gaps", "ink_from_edges", "edges_from_ink"),
    "Show": ("blink_labels", "blink_prediction", "swap", "difference", "fainter", "stronger", PLAIN_VIEW),
}
_ROW_TIPS = {
    "Ink": "Tools for ink labels",
    "Edges": "Tools for edge labels",
    "View": "Changes of the whole visible region",
    "Show": "Display of labels and prediction",
}
# The erasers have no action, because E is napari's own key.
_ERASERS = {
    Tool.ERASE_INK: "Erase back to unreviewed in the ink labels",
    Tool.ERASE_EDGE: "Erase back to unreviewed in the edge labels",
}
_ERASER_KEY = "E"
_OTHER_ERASER = f" (key {_ERASER_KEY} after another tool of this row)"
_PLAIN_TIP = "Show rows and columns in 2-D again"
_NEED_PREDICTION = ("blink_prediction", "difference", "swap")
_SIGNS = {"Ctrl+": "^", "Shift+": "⇧", "Alt+": "⌥", "Down": "↓", "Up": "↑", "Left": "←", "Right": "→"}


# Sizes in lines of text: width and height of a button, its icon; and those of a compact one, with the key beside the
# icon instead of below it.
_WIDTH, _HEIGHT, _ICON = 2.4, 2.7, 1.35
_COMPACT_HEIGHT, _COMPACT_ICON = 1.6, 0.9
_AROUND_PX = 8  # border and gap of a compact button
_SHORT = 2  # characters of a key that has room in a compact button of the same width


class IconButton(QToolButton):
    """Button with an icon and its key, both as large as the font asks for.

    Parameters
    ----------
    name
        Name of the action or tool.
    tip
        What it does, shown in the tooltip with the key.
    key
        Key for display; empty if there is none.
    """

    def __init__(self, name: str, tip: str, key: str) -> None:
        super().__init__()
        self._name, self._tip, self.key, self._is_compact = name, tip, key, False
        self.setObjectName("inkIcon")
        self.show_key(key)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        # Without the focus on the button, keys continue to go to the canvas.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.explain("")

    def show_key(self, key: str) -> None:
        """Show a key below the icon; nothing if it is empty."""
        self.key = key
        self.setText(_short(key) or " ")

    def explain(self, detail: str) -> None:
        """Show what the button does in the tooltip, with a detail."""
        key = f" (key {self.key})" if self.key else ""
        self.setToolTip(f"{self._tip}{detail}{key}")

    def show_colour(self, colour: str) -> None:
        """Draw the icon in a colour."""
        self.setIcon(icon(self._name, colour))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in proportion to the font."""
        line = self.fontMetrics().height()
        # Compact or not, the rows have the same width; only long keys, which are in no row, need more.
        is_longer = self._is_compact and len(self.text()) > _SHORT
        width = self.iconSize().width() + self._beside_icon() if is_longer else round(_WIDTH * line)
        return QSize(width, round(self._choose(_HEIGHT, _COMPACT_HEIGHT) * line))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the same as `sizeHint`."""
        return self.sizeHint()

    def event(self, e: QEvent | None) -> bool:
        """Fit the icon to the font."""
        if e is not None and e.type() in (QEvent.Type.FontChange, QEvent.Type.Polish):
            self._fit_icon()
        return super().event(e)

    def set_compact(self, is_compact: bool) -> None:
        """Take less height, with the key beside a smaller icon, or as much as is comfortable."""
        self._is_compact = is_compact
        under, beside = Qt.ToolButtonStyle.ToolButtonTextUnderIcon, Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        self.setToolButtonStyle(beside if is_compact else under)
        self._fit_icon()
        self.updateGeometry()

    def _fit_icon(self) -> None:
        line = self.fontMetrics().height()
        side = round(self._choose(_ICON, _COMPACT_ICON) * line)
        if self._is_compact and len(self.text()) <= _SHORT:
            side = min(side, round(_WIDTH * line) - self._beside_icon())
        self.setIconSize(QSize(side, side))

    def _beside_icon(self) -> int:
        """Return the width of what a compact button has besides its icon."""
        return self.fontMetrics().horizontalAdvance(self.text()) + _AROUND_PX

    def _choose(self, comfortable: float, compact: float) -> float:
        return compact if self._is_compact else comfortable


class ToolBar(QWidget):
    """Rows of icon buttons; the active tool is lit.

    Emits `tool_requested` with a tool, and `action_requested` with the name of an action.

    Attributes
    ----------
    tools, actions_of : dict
        Button of each tool, and of each action.
    changes : tuple of IconButton
        Buttons for undo, redo and the list of keys, which the caller places.
    """

    tool_requested = Signal(str)
    action_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.tools: dict[str, IconButton] = {}
        self.actions_of: dict[str, IconButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        for line, (title, names) in enumerate(_ROWS.items()):
            heading = QLabel(title)
            heading.setToolTip(_ROW_TIPS[title])
            grid.addWidget(heading, line, 0)
            for column, name in enumerate(names, start=1):
                made = self._tool(name) if isinstance(name, Tool) else self._action(name)
                grid.addWidget(made, line, column)
        grid.setColumnStretch(max(map(len, _ROWS.values())) + 1, 1)
        self.changes = tuple(self._action(name) for name in _CHANGES)
        self.actions_of["difference"].setCheckable(True)
        self._show_eraser_key(Tool.ERASE_INK)

    def show_colour(self, colour: str) -> None:
        """Draw all icons in a colour."""
        for one in (*self.tools.values(), *self.actions_of.values()):
            one.show_colour(colour)

    def set_compact(self, is_compact: bool) -> None:
        """Make all buttons lower, or as high as is comfortable."""
        for one in (*self.tools.values(), *self.actions_of.values()):
            one.set_compact(is_compact)

    def show_possible(self, can_edit: bool, has_labels: bool, has_prediction: bool, is_turned: bool) -> None:
        """Enable the tools and actions that are possible now."""
        for tool in self.tools.values():
            tool.setEnabled(can_edit)
        for name, action in self.actions_of.items():
            if name in _NEED_PREDICTION:
                action.setEnabled(has_prediction)
            elif name == PLAIN_VIEW:
                action.setEnabled(is_turned)
            elif name in _ROWS["Show"]:
                action.setEnabled(has_labels or has_prediction)
            elif name not in _CHANGES:
                action.setEnabled(can_edit)

    def show_tool(self, active: str) -> None:
        """Light the button of the active tool."""
        for tool, one in self.tools.items():
            one.setChecked(tool == active)
        if active:
            self._show_eraser_key(Tool.ERASE_EDGE if active in EDGE_BRUSHES else Tool.ERASE_INK)

    def _show_eraser_key(self, erased: Tool) -> None:
        """Show the key of erasing at the eraser that it activates: that of the labels which were drawn on last."""
        for tool in _ERASERS:
            self.tools[tool].show_key(_ERASER_KEY if tool is erased else "")
            self.tools[tool].explain("" if tool is erased else _OTHER_ERASER)

    def _tool(self, tool: Tool) -> IconButton:
        if tool in _ERASERS:
            made = IconButton(tool.action, _ERASERS[tool], _ERASER_KEY)
        else:
            made = IconButton(tool.action, TITLES[tool.action], shown_key(tool.action))
        made.setCheckable(True)
        made.clicked.connect(lambda: self.tool_requested.emit(tool))
        self.tools[tool] = made
        return made

    def _action(self, name: str) -> IconButton:
        is_plain = name == PLAIN_VIEW  # a button only: it has no key
        made = IconButton(name, _PLAIN_TIP if is_plain else TITLES[name], "" if is_plain else shown_key(name))
        made.clicked.connect(lambda: self.action_requested.emit(name))
        self.actions_of[name] = made
        return made


def title_of(tool: str) -> str:
    """Return what a tool does; empty for no tool."""
    if not tool:
        return ""
    return _ERASERS.get(Tool(tool)) or TITLES[Tool(tool).action]


def _short(key: str) -> str:
    for name, sign in _SIGNS.items():
        key = key.replace(name, sign)
    return key
