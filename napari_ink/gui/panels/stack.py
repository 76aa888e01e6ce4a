"""Step 1, Stack: open the depth layers of a segment, and say what they are."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout

from napari_ink.gui.panels.step import StepPanel, button, paragraph, show_text
from napari_ink.gui.state import InkState, Step
from napari_ink.stack import DepthStack

_HINT = "Open the depth layers of a segment: a folder of TIFFs (00.tif, 01.tif …), or one TIFF or .npy file."
_DEPTH = "Move through the depth with the slider under the picture; the surface is layer {}."
_FILES = "Depth stacks (*.tif *.tiff *.npy);;All files (*)"


class StackPanel(StepPanel):
    """Open a stack; emits `open_requested` with its path, or `sample_requested`."""

    open_requested = Signal(object)
    sample_requested = Signal()

    def __init__(self) -> None:
        super().__init__(Step.STACK, _HINT)
        self.folder_button = button("Open folder…", "Open the folder that holds the depth layers", primary=True)
        self.file_button = button("Open file…", "Open one multi-page TIFF or NumPy file with all depth layers")
        self.sample_button = button("Try the sample", "Open a small simulated segment whose ink is known")
        self.folder_button.clicked.connect(self._on_folder)
        self.file_button.clicked.connect(self._on_file)
        self.sample_button.clicked.connect(self.sample_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for one in (self.folder_button, self.file_button, self.sample_button):
            buttons.addWidget(one)
        self.summary, self.depth_hint = paragraph(), paragraph()
        self.rows.addLayout(buttons)
        for label in (self.summary, self.depth_hint):
            self.rows.addWidget(label)

    def show_state(self, state: InkState) -> None:
        """Show what is open."""
        super().show_state(state)
        stack = state.stack
        for one in (self.folder_button, self.file_button, self.sample_button):
            one.setEnabled(not state.busy)
        self.summary.setToolTip("" if stack is None else str(stack.source))
        show_text(self.summary, state.busy if stack is None else summary(stack, state.mask))
        show_text(self.depth_hint, "" if stack is None else _DEPTH.format(stack.surface_z))

    def _on_folder(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, "Open the folder of depth layers"):
            self.open_requested.emit(Path(chosen))

    def _on_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open a depth stack", filter=_FILES)
        if chosen:
            self.open_requested.emit(Path(chosen))


def summary(stack: DepthStack, mask: Path | None) -> str:
    """Say in a few words what a stack is, its name in bold."""
    depth, height, width = stack.shape
    voxels = "voxel size unknown" if stack.voxel_size_um is None else f"{stack.voxel_size_um:g} µm voxels"
    size = f"{depth} depth layers of {height} × {width} px"
    parts = [f"<b>{escape(stack.name)}</b>", size, f"{8 * stack.dtype.itemsize} bit", voxels, stack.format]
    found = "no papyrus mask beside it" if mask is None else f"papyrus mask: {escape(mask.name)}"
    # Lines break between the parts, not inside them.
    return " · ".join(part.replace(" ", "\u00a0") for part in (*parts, found))
