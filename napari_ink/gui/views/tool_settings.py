"""Settings of the active tool, in one row that keeps its place."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QWidget

from napari_ink.gui.models.actions import ToolSettings

_LARGEST_BRUSH_PX, _LARGEST_REACH_PX = 500, 4096
_LABELS = ("Ink", "Papyrus")


class ToolSettingsRow(QWidget):
    """Brush size, reach and label of the active tool; what it does not have is disabled.

    Emits `brush_chosen` and `reach_chosen` with pixels, and `papyrus_chosen` with whether to paint papyrus.
    """

    brush_chosen = Signal(int)
    reach_chosen = Signal(int)
    papyrus_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inkTool")
        self.brush_box, self.reach_box, self.label_box = QSpinBox(), QSpinBox(), QComboBox()
        self.label_box.addItems(_LABELS)
        self.brush_box.setRange(1, _LARGEST_BRUSH_PX)
        self.reach_box.setRange(16, _LARGEST_REACH_PX)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for title, box, share, tip in (
            ("Brush", self.brush_box, 2, "Diameter of the brush in pixels (keys [ and ])"),
            ("Reach", self.reach_box, 2, "Pixels around the click or stroke in which the tool looks for edges"),
            ("", self.label_box, 3, "What the tool paints; Shift paints the other one"),
        ):
            if title:
                line.addWidget(QLabel(title))
            box.setToolTip(tip)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            line.addWidget(box, share)
        for number in (self.brush_box, self.reach_box):
            number.setKeyboardTracking(False)
            number.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.brush_box.valueChanged.connect(self.brush_chosen)
        self.reach_box.valueChanged.connect(self.reach_chosen)
        self.label_box.activated.connect(lambda index: self.papyrus_chosen.emit(bool(index)))

    def show_settings(self, settings: ToolSettings, can_edit: bool) -> None:
        """Show the settings of a tool, without emitting them."""
        for box, value in ((self.brush_box, settings.brush_px), (self.reach_box, settings.reach_px)):
            box.setEnabled(can_edit and value is not None)
            if value is not None:
                with QSignalBlocker(box):
                    box.setValue(value)
        self.label_box.setEnabled(can_edit and settings.paints_papyrus is not None)
        self.label_box.setCurrentIndex(int(bool(settings.paints_papyrus)))
