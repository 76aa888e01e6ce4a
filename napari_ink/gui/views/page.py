"""Page of the dock that shows one step, and scrolls it in a window that is too low."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFrame, QLayout, QScrollArea

from napari_ink.gui.views.step_panel import StepPanel


def lay_out_again(layout: QLayout | None) -> None:
    """Lay out what Qt takes for laid out, as after another style or width has arrived while it was hidden."""
    if layout is not None:
        layout.invalidate()
        layout.activate()


class Page(QScrollArea):
    """Page of one step, which scrolls only in a window that is too low for it, and is never narrower than the step."""

    measured = Signal()

    def __init__(self, panel: StepPanel) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(panel)
        if (bar := self.verticalScrollBar()) is not None:
            bar.rangeChanged.connect(self._keep_width)
            self._keep_width(0, 0)

    def _keep_width(self, first: int, last: int) -> None:
        """Leave the place of the scroll bar free while it is hidden, so that the step does not become narrower."""
        bar = self.verticalScrollBar()
        is_free = bar is not None and last <= first
        self.setViewportMargins(0, 0, bar.sizeHint().width() if is_free and bar is not None else 0, 0)
        self._lay_out_step()

    def showEvent(self, a0: QShowEvent | None) -> None:  # noqa: N802
        """Show the step as wide as the page has become while another page was open."""
        super().showEvent(a0)
        self._lay_out_step()

    def _lay_out_step(self) -> None:
        # Qt takes a layout for done that was done for another width while the step was hidden, and cuts its right off.
        if (panel := self.widget()) is not None:
            lay_out_again(panel.layout())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the width of the step in the current font, and a small height."""
        panel, bar = self.widget(), self.verticalScrollBar()
        # With room for the scroll bar, which would cover the right of the step in a larger font.
        margins = self.contentsMargins()  # napari's style gives all frames a border
        beside = margins.left() + margins.right() + (0 if bar is None else bar.sizeHint().width())
        return QSize(0 if panel is None else panel.minimumSizeHint().width() + beside, 4 * self.fontMetrics().height())

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:  # noqa: N802
        """Take notice of another least size of the step, such as in another font, which Qt's scroll area ignores."""
        if a1 is not None and a1.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self.measured.emit()
        return super().eventFilter(a0, a1)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the whole step."""
        panel = self.widget()
        return self.minimumSizeHint() if panel is None else panel.minimumSizeHint()
