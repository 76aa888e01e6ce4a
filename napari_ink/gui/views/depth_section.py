"""Depth section: current layer, jumps, projection, profile under the mouse, and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel
from superqt import QLabeledRangeSlider

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import ProjectionStatus
from napari_ink.gui.views.profile_plot import ProfilePlot
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import button, paragraph, show_text
from napari_ink.stack import HOWS

if TYPE_CHECKING:
    from napari_ink.gui.models.status import Profile

_TITLES = {"max": "Maximum", "mean": "Mean", "min": "Minimum", "alpha": "Alpha composite"}
_WHAT = {
    "max": "the brightest value of the chosen layers",
    "mean": "the mean of the chosen layers",
    "min": "the darkest value of the chosen layers",
    "alpha": "bright voxels hide what lies behind them, from the first chosen layer to the last",
}


class DepthSection(Section):
    """Section to move through the depth and to show several layers at once.

    Emits `projection_chosen` with the method and the first and last layer, `contrast_requested`, and `watched` with
    whether the profile is visible.
    """

    projection_chosen = Signal(str, int, int)
    contrast_requested = Signal()
    watched = Signal(bool)

    def __init__(self) -> None:
        super().__init__("Depth and projection")
        self.where = paragraph()
        self.how = QComboBox()
        for how in HOWS:
            self.how.addItem(_TITLES[how], how)
            self.how.setItemData(self.how.count() - 1, _WHAT[how], Qt.ItemDataRole.ToolTipRole)
        self.how.setToolTip("Method that combines the layers")
        self.layers = QLabeledRangeSlider(Qt.Orientation.Horizontal)
        self.layers.setToolTip("The first and the last layer of the projection")
        self.layers.setRange(0, 64)
        self.plot = ProfilePlot()
        self.contrast_button = button(
            "Reset contrast", "Set the contrast limits to the 0.5th and 99.5th percentile of the grey values"
        )
        self.rows.addWidget(self.where)
        names = (("shallower", "− 5"), ("surface", "Surface"), ("deeper", "+ 5"), ("flip", "Previous layer"))
        self.rows.addLayout(row(*(self.action_button(name, text, says_key=False) for name, text in names)))
        self.rows.addLayout(row(self.action_button("projection", "Projection"), self.how))
        self.buttons["projection"].setCheckable(True)
        self.rows.addLayout(row(QLabel("Layers"), self.layers))
        self.rows.addWidget(self.plot)
        self.rows.addLayout(row(self.action_button("explain", "Contributions"), self.contrast_button))
        self.how.currentIndexChanged.connect(self._on_chosen)
        self.layers.valueChanged.connect(self._on_chosen)
        self.contrast_button.clicked.connect(self.contrast_requested)
        # A closed section needs no profile, so nothing is read for it.
        self.header.toggled.connect(self.watched)

    def show_state(self, state: InkState) -> None:
        """Enable the controls once a stack is open, and show the projection."""
        for one in (*self.buttons.values(), self.how, self.layers, self.contrast_button):
            one.setEnabled(state.stack is not None)
        self._show_projection(state.projection)
        self.plot.show_voxel_size(None if state.stack is None else state.stack.voxel_size_um)

    def show_depth(self, where: str, surface: int, here: int) -> None:
        """Show the position of the depth slider."""
        show_text(self.where, where)
        self.plot.show_depth(surface, here)

    def show_profile(self, profile: Profile | None) -> None:
        """Draw the profile under the mouse."""
        self.plot.show_profile(profile)

    def _show_projection(self, status: ProjectionStatus) -> None:
        self.buttons["projection"].setChecked(status.is_shown)
        # Showing a status must not request it again.
        with QSignalBlocker(self.how), QSignalBlocker(self.layers):
            self.how.setCurrentIndex(HOWS.index(status.how))
            if self.layers.maximum() != status.layers - 1:
                self.layers.setRange(0, max(status.layers - 1, 1))
            if tuple(self.layers.value()) != (status.first, status.last):
                self.layers.setValue((status.first, status.last))

    def _on_chosen(self, *_: object) -> None:
        first, last = self.layers.value()
        self.projection_chosen.emit(self.how.currentData(), int(first), int(last))
