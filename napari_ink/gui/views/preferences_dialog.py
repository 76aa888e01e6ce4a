"""Dialog for colours and keys, since napari's Preferences offer plugins text fields only."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from app_model.backends.qt import QKeyBindingSequence, qkeysequence2modelkeybinding
from app_model.types import KeyBinding
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QKeySequence, QPixmap
from qtpy.QtWidgets import (
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_ink.gui.models.actions import ACTIONS, TITLES
from napari_ink.gui.preferences import (
    Rgb,
    colour,
    default_colour,
    plugin_settings,
    save_colours,
    save_keys,
    saved_key,
)

COLOUR_TITLES = {
    "predicted_ink": "Predicted ink",
    "predicted_edges": "Predicted edges",
    "labelled_ink": "Labelled ink",
    "labelled_papyrus": "Labelled papyrus",
    "labelled_edges": "Labelled edges",
    "labelled_no_edges": "Labelled as no edge",
}
_LATER = "Changes apply when napari is started again."
_NOT_THERE = "This version of napari stores no settings of plugins; use napari 0.9 or newer."
_SIDE_PX = 16


class ColourButton(QPushButton):
    """Button that shows a colour, and asks for another one when it is pressed."""

    def __init__(self, title: str, rgb: Rgb) -> None:
        super().__init__()
        self._title = title
        self.setIconSize(QSize(2 * _SIDE_PX, _SIDE_PX))
        self.setToolTip(f"Choose the colour of: {title.lower()}")
        self.show_colour(rgb)
        self.clicked.connect(self._on_clicked)

    def show_colour(self, rgb: Rgb) -> None:
        """Show another colour."""
        self.rgb = rgb
        filled = QPixmap(self.iconSize())
        filled.fill(QColor.fromRgbF(*rgb))
        self.setIcon(QIcon(filled))
        self.setText(QColor.fromRgbF(*rgb).name())

    def _on_clicked(self) -> None:
        chosen = QColorDialog.getColor(QColor.fromRgbF(*self.rgb), self, self._title)
        if chosen.isValid():
            self.show_colour((chosen.redF(), chosen.greenF(), chosen.blueF()))


class PreferencesDialog(QDialog):
    """Dialog with a field for each colour and for the key of each action; *OK* stores them for the next start.

    Parameters
    ----------
    parent
        Widget that owns the dialog.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Colours and keys of napari-ink")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.colours = {name: ColourButton(title, colour(name)) for name, title in COLOUR_TITLES.items()}
        self.keys = {action.name: _key_field(saved_key(action.name)) for action in ACTIONS}
        self.note = QLabel(_LATER)
        self.note.setWordWrap(True)
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel | kinds.RestoreDefaults)
        self._lay_out()
        for field in self.keys.values():
            field.keySequenceChanged.connect(self._show_conflicts)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        if (restore := self.buttons.button(kinds.RestoreDefaults)) is not None:
            restore.clicked.connect(self.restore_defaults)
        self._show_conflicts()

    def accept(self) -> None:
        """Store the colours and keys, and close."""
        save_colours({name: None if _is_default(name, one.rgb) else one.rgb for name, one in self.colours.items()})
        save_keys({name: napari_key(field.keySequence()) for name, field in self.keys.items()})
        super().accept()

    def restore_defaults(self) -> None:
        """Show the default colours and keys; nothing is stored before *OK*."""
        for name, one in self.colours.items():
            one.show_colour(default_colour(name))
        for action in ACTIONS:
            self.keys[action.name].setKeySequence(sequence_of(action.key))

    def _lay_out(self) -> None:
        colours, keys = QWidget(), QWidget()
        form = QFormLayout(colours)
        for name, title in COLOUR_TITLES.items():
            form.addRow(title, self.colours[name])
        form = QFormLayout(keys)
        for group, actions in groupby(ACTIONS, lambda action: action.group):
            heading = QLabel(f"<b>{group}</b>")
            form.addRow(heading)
            for action in actions:
                form.addRow(action.title, self.keys[action.name])
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setWidget(keys)
        tabs = QTabWidget()
        tabs.addTab(colours, "Colours")
        tabs.addTab(scrolled, "Keys")
        layout = QVBoxLayout(self)
        for widget in (tabs, self.note, self.buttons):
            layout.addWidget(widget)
        self.resize(680, 560)

    def _show_conflicts(self) -> None:
        """Say which keys are used twice; such a choice cannot be stored."""
        keys = {name: napari_key(field.keySequence()) for name, field in self.keys.items()}
        twice = [key for key, count in Counter(filter(None, keys.values())).items() if count > 1]
        said = "; ".join(f"“{key}” is used for {' and '.join(_titles(keys, key))}" for key in twice)
        is_possible = plugin_settings("keys") is not None
        self.note.setText(f"{said}. Choose another key." if said else _LATER if is_possible else _NOT_THERE)
        if (ok := self.buttons.button(QDialogButtonBox.StandardButton.Ok)) is not None:
            ok.setEnabled(is_possible and not said)


def napari_key(sequence: QKeySequence) -> str:
    """Return the first key of a Qt sequence in napari's notation; empty if there is none."""
    if sequence.isEmpty():
        return ""
    key = str(qkeysequence2modelkeybinding(QKeySequence(sequence[0])))
    return key.replace("Ctrl+", "Control-").replace("+", "-")


def sequence_of(key: str) -> QKeySequence:
    """Return a key in napari's notation as a Qt sequence."""
    return QKeyBindingSequence(KeyBinding.from_str(key)) if key else QKeySequence()


def _key_field(key: str) -> QKeySequenceEdit:
    field = QKeySequenceEdit(sequence_of(key))
    if hasattr(field, "setMaximumSequenceLength"):  # from Qt 6.5 on; before, only the first key counts
        field.setMaximumSequenceLength(1)
    if hasattr(field, "setClearButtonEnabled"):
        field.setClearButtonEnabled(True)
    field.setMinimumWidth(field.fontMetrics().horizontalAdvance("Ctrl+Shift+PgDown") + 2 * _SIDE_PX)
    field.setToolTip("Click here, and press the key")
    return field


def _is_default(name: str, rgb: Rgb) -> bool:
    return QColor.fromRgbF(*rgb).name() == QColor.fromRgbF(*default_colour(name)).name()


def _titles(keys: dict[str, str], key: str) -> list[str]:
    return [f"“{TITLES[name]}”" for name, used in keys.items() if used == key]
