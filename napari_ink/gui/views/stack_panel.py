"""Step Stack: opening the depth layers of a segment, and their description."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QInputDialog

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.words import size_text
from napari_ink.gui.views.convert_section import ConvertSection
from napari_ink.gui.views.depth_section import DepthSection
from napari_ink.gui.views.files import ask_for_file, ask_for_folder
from napari_ink.gui.views.recent_menu import RecentMenu
from napari_ink.gui.views.section import row
from napari_ink.gui.views.step_panel import StepPanel, button, paragraph, show_text
from napari_ink.stack import DepthStack

_HINT = "Open the depth layers of a segment: a folder of TIFF layers, an OME-Zarr, or a file."
_DEPTH = "Move through the depth with the slider under the picture; the surface is layer {}."
_SAMPLED = "<b>Coarse picture from a sample; the whole follows.</b> "
_SUFFIXES = "*.tif *.tiff *.npy *.nrrd *.nhdr *.h5 *.hdf5 *.hdf *.he5 *.nxs *.mat *.ims *.zip *.ozx"
_FILES = f"Depth stacks ({_SUFFIXES});;All files (*)"
_ADDRESS = "URL of an OME-Zarr, a folder of TIFF layers or a file (https:// or s3://)"


class StackPanel(StepPanel):
    """Panel of the step Stack, which emits `open_requested` with a path or an address, and `sample_requested`."""

    open_requested = Signal(object)
    sample_requested = Signal()

    def __init__(self) -> None:
        super().__init__(Step.STACK, _HINT)
        self._stack: DepthStack | None = None
        self.folder_button = button("Open folder…", "Open a folder of depth layers, or a Zarr", primary=True)
        self.file_button = button("Open file…", "Open one TIFF, NumPy, NRRD or HDF5 file with all depth layers")
        self.address_button = button("Open URL…", "Open a stack from the web or a cloud store: https:// or s3://")
        self.sample_button = button("Try the sample", "Open a small simulated segment whose ink is known")
        self.recent_button = button("Recent", "Open a segment or project that was open before")
        self.recent = RecentMenu("Recent", self)
        self.recent_button.setMenu(self.recent)
        self.recent.open_requested.connect(self.open_requested)
        self.folder_button.clicked.connect(self.ask_for_folder)
        self.file_button.clicked.connect(self._on_file)
        self.address_button.clicked.connect(self._on_address)
        self.sample_button.clicked.connect(self.sample_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for one in (self.folder_button, self.file_button, self.address_button):
            buttons.addWidget(one)
        self.summary, self.depth_hint = paragraph(), paragraph()
        self.convert, self.depths = ConvertSection(), DepthSection()
        self.convert.open_requested.connect(self.open_requested)
        self.rows.addLayout(buttons)
        self.rows.addLayout(row(self.recent_button, self.sample_button))
        for widget in (self.depths, self.convert, self.summary, self.depth_hint):
            self.rows.addWidget(widget)

    def show_state(self, state: InkState) -> None:
        """Describe the open stack, and enable the buttons that apply."""
        super().show_state(state)
        self._stack = stack = state.stack
        for one in (self.folder_button, self.file_button, self.address_button, self.recent_button, self.sample_button):
            one.setEnabled(not state.busy and state.run is None)
        self.depths.show_state(state)
        self.convert.show_state(state)
        self.summary.setToolTip("" if stack is None else str(stack.source))
        missing = f"<br>Missing data: {escape(state.missing)}." if state.missing else ""
        notes = (*(() if stack is None else stack.notes), state.grey_note)
        lines = "".join(f"<br>{escape(note)}" for note in notes if note)
        show_text(self.summary, state.busy if stack is None else summary(stack, state.mask) + missing + lines)
        sampled = _SAMPLED if state.is_sampled else ""
        show_text(self.depth_hint, "" if stack is None else sampled + _DEPTH.format(stack.surface_z))

    def ask_for_folder(self) -> None:
        """Ask the user for a folder of depth layers, and request to open it."""
        chosen = ask_for_folder(self, "stack", "Open the folder of depth layers", self._stack)
        if chosen is not None:
            self.open_requested.emit(chosen)

    def _on_file(self) -> None:
        if (chosen := ask_for_file(self, "stack", "Open a depth stack", _FILES, self._stack)) is not None:
            self.open_requested.emit(chosen)

    def _on_address(self) -> None:
        address, is_given = QInputDialog.getText(self, "Open URL", _ADDRESS)
        if is_given and address.strip():
            self.open_requested.emit(address.strip())


def summary(stack: DepthStack, mask: Path | None) -> str:
    """Return a short description of a stack, with its name in bold."""
    depth, height, width = stack.shape
    voxels = "voxel size unknown" if stack.voxel_size_um is None else f"{stack.voxel_size_um:g} µm voxels"
    size = [f"{depth} depth layers", size_text(height, width)]
    parts = [
        f"<b>{escape(stack.name)}</b>",
        *size,
        f"{8 * stack.dtype.itemsize} bit",
        voxels,
        stack.format.replace("tiff", "TIFF"),
    ]
    parts += [stack.scaling] if stack.scaling else []
    found = "no papyrus mask beside it" if mask is None else f"papyrus mask: {escape(mask.name)}"
    # Lines break between the parts, not inside them.
    return " · ".join(part.replace(" ", "\u00a0") for part in (*parts, found))
