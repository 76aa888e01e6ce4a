"""Section to show, hide, swap and fade labels and prediction, and to see where they differ."""

from __future__ import annotations

from napari_ink.gui.models.state import InkState
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import paragraph, show_text

_LEGEND = "Yellow: ink only in your labels. Purple: ink only {}."


class CompareSection(Section):
    """Section with the display of labels and prediction, and their difference."""

    def __init__(self) -> None:
        super().__init__("Display and comparison")
        self.legend = paragraph()
        for pair in (
            (("blink_labels", "Labels"), ("blink_prediction", "Prediction")),
            (("swap", "Swap"), ("difference", "Difference")),
            (("fainter", "Opacity −"), ("stronger", "Opacity +")),
        ):
            self.rows.addLayout(row(*(self.action_button(name, text) for name, text in pair)))
        self.rows.addWidget(self.legend)
        self.buttons["difference"].setCheckable(True)

    def show_state(self, state: InkState) -> None:
        """Show what the labels are compared with."""
        self.buttons["difference"].setChecked(state.compared == "prediction")
        # Fading and blinking labels need no prediction.
        for name in ("blink_prediction", "difference", "swap"):
            self.buttons[name].setEnabled(state.has_prediction)
        where = "in the prediction" if state.compared == "prediction" else f"in version {state.compared}"
        show_text(self.legend, _LEGEND.format(where) if state.compared else "")
