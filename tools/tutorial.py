"""Follow the tutorial, docs/tutorial.md, in the real window, and take its pictures.

    python tools/tutorial.py [--out docs/images/tutorial]

Without a display, run it under ``xvfb-run -a -s "-screen 0 1920x1080x24"``, as ``make pictures`` does. It presses the
same buttons and draws the same strokes as a reader, in a project that is deleted afterwards.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))
from pictures import settle, wait_until

if TYPE_CHECKING:
    import napari

    from napari_ink.gui.dock import InkDock

SIZE = (1366, 768)
_QUALITY = 82
_SETTLE_MS = 2000
# Strokes (y, x) from start to end: ink that the model misses in the sample ...
INK = (
    ((13, 180), (22, 208)),
    ((281, 408), (285, 424)),
    ((383, 424), (420, 425)),
    ((387, 276), (394, 300)),
    ((158, 376), (160, 386)),
)
# ... and papyrus: what it takes for ink, and some places without any.
PAPYRUS = (
    ((60, 68), (62, 104)),
    ((105, 52), (105, 90)),
    ((133, 418), (133, 450)),
    ((348, 281), (364, 281)),
    ((225, 450), (225, 560)),
    ((300, 330), (300, 380)),
    ((225, 60), (225, 160)),
    ((60, 420), (150, 480)),
)


def main() -> None:
    """Follow the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/tutorial"))
    out = parser.parse_args().out
    # A fixed name, since pictures show it.
    folder = Path(tempfile.gettempdir()) / "tutorial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Set before napari is imported, which reads its settings from there.
    os.environ["NAPARI_CONFIG"] = str(folder / "settings.yaml")
    from napari_ink.gui.app import require_display, viewer_with_dock

    require_display()
    viewer, dock = viewer_with_dock()
    viewer.window.resize(*SIZE)
    dock.session.stack.projects_in = folder
    out.mkdir(parents=True, exist_ok=True)
    Tutorial(viewer, dock, out).follow(folder)
    viewer.close()
    shutil.rmtree(folder, ignore_errors=True)


class Tutorial:
    """The steps of the tutorial, each of which ends with a picture."""

    def __init__(self, viewer: napari.Viewer, dock: InkDock, out: Path) -> None:
        self._viewer, self._dock, self._session, self._out = viewer, dock, dock.session, out

    def follow(self, folder: Path) -> None:
        """Do all steps."""
        self.open()
        self.predict()
        self.draft()
        self.correct()
        self.learn()
        self.review()
        self.export(folder)

    def open(self) -> None:
        """Open the sample."""
        self._dock.stack.sample_button.click()
        wait_until(lambda: self._session.state.stack is not None and not self._session.state.busy)
        self._take("1-stack")

    def predict(self) -> None:
        """Predict the whole sample."""
        self._open_step("Predict")
        self._dock.predict.run_button.click()
        wait_until(lambda: self._session.state.run is None and bool(self._session.state.outcome))
        self._take("2-predict")

    def draft(self) -> None:
        """Make the prediction editable."""
        self._open_step("Correct")
        self._dock.correct.editable_button.click()
        wait_until(lambda: self._session.state.labels and not self._session.state.busy)
        self._take("3-labels")

    def correct(self) -> None:
        """Paint papyrus and ink."""
        self._session.do("ink")
        self._draw(INK)
        self._session.do("papyrus")
        self._draw(PAPYRUS)
        self._take("4-correct")

    def learn(self) -> None:
        """Teach the quick model."""
        self._open_step("Learn")
        self._dock.learn.minutes_box.setValue(0)
        self._dock.learn.learn_button.click()
        teaching = lambda: self._session.state.teaching  # noqa: E731
        wait_until(lambda: not teaching().is_running and bool(teaching().outcome))
        self._take("5-learn")

    def review(self) -> None:
        """Go to the region that most needs a look, and mark it reviewed."""
        self._open_step("Review")
        self._session.do("next_region")
        wait_until(lambda: bool(self._session.state.review.region))
        self._take("6-review")
        self._session.do("reviewed")
        settle()

    def export(self, folder: Path) -> None:
        """Save the ink mask."""
        self._open_step("Export")
        self._session.export.export("ink", "labels", folder / "phantom-7_inklabels.png")
        wait_until(lambda: bool(self._session.state.exported) and not self._session.state.busy)
        self._viewer.reset_view()
        self._take("7-export")

    def _open_step(self, title: str) -> None:
        from napari_ink.gui.models.state import Step

        self._dock.open_step(Step(title))
        settle()

    def _draw(self, strokes: Sequence[Sequence[tuple[int, int]]]) -> None:
        """Draw strokes with the left button of the mouse, from their first position to their last."""
        from qtpy.QtCore import QEvent, Qt
        from qtpy.QtOpenGLWidgets import QOpenGLWidget

        canvas = self._dock.window().findChild(QOpenGLWidget)
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        for start, end in strokes:
            self._send(canvas, QEvent.Type.MouseMove, start, none, none)
            self._send(canvas, QEvent.Type.MouseButtonPress, start, left, left)
            for part in range(1, 11):
                way = [a + (b - a) * part / 10 for a, b in zip(start, end, strict=True)]
                self._send(canvas, QEvent.Type.MouseMove, way, none, left)
            self._send(canvas, QEvent.Type.MouseButtonRelease, end, left, none)
            settle()

    def _send(self, canvas: object, kind: object, place: Sequence[float], button: object, buttons: object) -> None:
        from qtpy.QtCore import QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        camera = self._viewer.scene.camera
        (cy, cx), zoom = camera.center[-2:], camera.zoom
        point = QPointF(canvas.width() / 2 + (place[1] - cx) * zoom, canvas.height() / 2 + (place[0] - cy) * zoom)
        event = QMouseEvent(kind, point, canvas.mapToGlobal(point), button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(canvas, event)
        QApplication.processEvents()

    def _take(self, name: str) -> None:
        from qtpy.QtGui import QImageWriter
        from qtpy.QtTest import QTest

        # The last tiles are drawn some time after a run has ended, and later on a busy machine.
        QTest.qWait(_SETTLE_MS)
        writer = QImageWriter(str(self._out / f"{name}.webp"))
        writer.setQuality(_QUALITY)
        if not writer.write(self._dock.window().grab().toImage()):
            raise SystemExit(f"{name} could not be written: {writer.errorString()}")


if __name__ == "__main__":
    main()
