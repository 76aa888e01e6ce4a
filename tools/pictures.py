"""Take the pictures of the window that the documentation shows: each step, in two sizes, two themes and a larger font.

    python tools/pictures.py [--out docs/images] [--only NAME ...]

Without a display, run it under ``xvfb-run -a -s "-screen 0 1920x1080x24"``, as ``make pictures`` does. The sample is
opened, predicted and labelled as a user would, in a project that is deleted afterwards; napari's own settings are not
touched. Pictures of two runs differ only where times are shown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_ink.gui.dock import InkDock

SIZES = {"1920": (1920, 1080), "1366": (1366, 768)}
_SETTLE_MS, _LONGEST_MS = 250, 600_000  # a busy machine takes long
_LARGE_PT = 15
_QUALITY = 82
# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB; tests/gui/test_palette.py measures with them.
_SIGHTS = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}


@dataclass(frozen=True, slots=True)
class Look:
    """Look of the window: its size, napari's theme and font size in points (None: napari's default)."""

    name: str
    size: tuple[int, int]
    theme: str = "dark"
    font_pt: int | None = None


LOOKS = (
    Look("1920", SIZES["1920"]),
    Look("1366", SIZES["1366"]),
    Look("1366-light", SIZES["1366"], theme="light"),
    Look("1366-15pt", SIZES["1366"], font_pt=_LARGE_PT),
)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", nargs="*", default=[], help="part of the names of the pictures to take")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Set before napari is imported, which reads its settings from there.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        from napari_ink.gui.app import require_display, viewer_with_dock

        require_display()
        viewer, dock = viewer_with_dock()
        dock.session.stack.projects_in = Path(folder)
        prepare(viewer, dock)
        args.out.mkdir(parents=True, exist_ok=True)
        for look in LOOKS:
            take(viewer, dock, look, args.out, args.only)
        if not args.only or any(part in "colours" for part in args.only):
            take_colours(viewer, dock, args.out)
        viewer.close()


def prepare(viewer: napari.Viewer, dock: InkDock) -> None:
    """Open the sample, predict it, draft labels, mark some regions, and teach a quick model."""
    from napari_ink.annotation import ReviewState

    session = dock.session
    viewer.window.resize(*SIZES["1920"])
    dock.stack.sample_button.click()
    wait_until(lambda: session.state.stack is not None and not session.state.busy)
    dock.predict.run_button.click()
    wait_until(lambda: session.state.run is None and bool(session.state.outcome))
    dock.correct.editable_button.click()
    wait_until(lambda: session.state.labels and not session.state.busy)
    session.do("next_region")
    wait_until(lambda: bool(session.state.review.region))
    for state in (ReviewState.REVIEWED, ReviewState.FLAGGED):
        session.review.mark(state)
    session.review.add_note(200, 300, "Is this a rho?")
    session.teaching.learn(0)
    wait_until(lambda: not session.state.teaching.is_running and bool(session.state.teaching.outcome))
    viewer.reset_view()


def take(viewer: napari.Viewer, dock: InkDock, look: Look, out: Path, only: list[str]) -> None:
    """Take a picture of each step in one look."""
    from qtpy.QtGui import QImageWriter

    from napari_ink.gui.models.state import Step

    names = {step: f"{step.value.lower()}-{look.name}" for step in Step}
    if only and not any(part in name for part in only for name in names.values()):
        return
    dress(viewer, look)
    for step, name in names.items():
        if only and not any(part in name for part in only):
            continue
        dock.open_step(step)
        if step is Step.CORRECT:
            dock.session.do("ink")
        settle()
        panel = dock.page().widget()
        if panel.body.geometry().right() > panel.width():
            raise SystemExit(
                f"The step {step.value} is cut off at its right: {panel.body.geometry()} in {panel.size()}."
            )
        picture = dock.window().grab().toImage()
        writer = QImageWriter(str(out / f"{name}.webp"))
        writer.setQuality(_QUALITY)
        if not writer.write(picture):
            raise SystemExit(f"{name} could not be written: {writer.errorString()}")


def dress(viewer: napari.Viewer, look: Look) -> None:
    """Give the window a size, a theme and a font size."""
    from napari.settings import get_settings

    appearance = get_settings().appearance
    appearance.theme = look.theme
    appearance.font_size = look.font_pt or type(appearance)().font_size
    viewer.window.resize(*look.size)
    settle()
    viewer.reset_view()


def take_colours(viewer: napari.Viewer, dock: InkDock, out: Path) -> None:
    """Show labels on the left and the prediction on the right, as people with three kinds of sight see them."""
    import numpy as np
    from PIL import Image

    dress(viewer, LOOKS[0])
    session = dock.session
    assert session.state.stack is not None
    height, width = session.state.stack.shape[1:]
    half = np.zeros((height, width // 2), np.uint8)
    session.labels.apply([("ink", 0, width // 2, half), ("edge", 0, width // 2, half)], "erase ink")
    session.labels.apply(
        [("ink", height // 8, width // 16, np.full((height // 4, width // 6), 1, np.uint8))], "papyrus"
    )
    session.labels.apply([("edge", height // 2, width // 16, np.full((6, width // 4), 2, np.uint8))], "not edge")
    for layer in (*session._layers.label_layers(), *session._layers.predicted_layers()):
        layer.visible = True
    for key in ("review", "notes", "frame"):
        session._layers.remove_auxiliary(key)
    viewer.reset_view()
    settle()
    seen = np.asarray(viewer.screenshot(canvas_only=True, flash=False))[::2, ::2, :3] / 255
    linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    parts = []
    for matrix in _SIGHTS.values():
        mixed = np.clip(linear @ np.array(matrix).T, 0, 1)
        parts.append(np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055))
    picture = np.round(255 * np.concatenate(parts, axis=1)).astype(np.uint8)
    Image.fromarray(picture).save(out / "colours.webp", quality=_QUALITY)


def settle() -> None:
    """Let the window lay itself out and draw."""
    from qtpy.QtTest import QTest

    QTest.qWait(_SETTLE_MS)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Process events until a condition is true.

    Raises
    ------
    SystemExit
        If it does not become true in ten minutes.
    """
    from qtpy.QtTest import QTest

    for _ in range(_LONGEST_MS // 20):
        if is_so():
            return
        QTest.qWait(20)
    raise SystemExit("The window did not get ready within ten minutes.")


if __name__ == "__main__":
    main()
