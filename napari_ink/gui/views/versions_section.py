"""Section for versions and import: save, compare and restore labels, and import them from files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QInputDialog, QLineEdit, QMessageBox, QSizePolicy

from napari_ink.export import FORMATS
from napari_ink.gui.models.state import InkState
from napari_ink.gui.views.files import ask_for_file
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import button, paragraph, show_text
from napari_ink.stack import DepthStack

_FILES = "Labels and masks ({} zarr.json .zarray .zgroup .zattrs);;All files (*)".format(
    " ".join(sorted({f"*{suffix}" for form in FORMATS if not form.is_folder for suffix in form.suffixes}))
)
_OF_A_ZARR = "for a Zarr, choose any file in its folder"


def _labels_at(chosen: Path) -> Path:
    """Return the Zarr folder that contains a file, since a file dialog selects no folders; else the file."""
    return next((place for place in chosen.parents if place.suffix.lower() == ".zarr"), chosen)


class VersionsSection(Section):
    """Section that emits `version_named`, `compare_requested`, `restore_requested` and `import_requested`."""

    version_named = Signal(str)
    compare_requested = Signal(str)
    restore_requested = Signal(str)
    import_requested = Signal(object, str)

    def __init__(self) -> None:
        super().__init__("Versions and import")
        self.save_button = button(
            "Save version…",
            "Save the labels under a name; takes no disk space until they change",
        )
        self.versions = QComboBox()
        self.versions.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.versions.setPlaceholderText("no version yet")
        self.compare_button = button("Compare", "Show where the ink labels differ from this version")
        self.restore_button = button("Restore", "Replace the current labels with this version; can be undone")
        self.import_ink = button("Import ink…", f"Import ink labels or a mask in place of yours; {_OF_A_ZARR}")
        self.import_edges = button("Import edges…", f"Import edge labels or a mask in place of yours; {_OF_A_ZARR}")
        self.save_button.clicked.connect(self._on_save)
        self.compare_button.clicked.connect(lambda: self.compare_requested.emit(self._to_compare()))
        self.restore_button.clicked.connect(lambda: self.restore_requested.emit(self.versions.currentText()))
        self.import_ink.clicked.connect(lambda: self._on_import("ink"))
        self.import_edges.clicked.connect(lambda: self._on_import("edge"))
        self.rows.addLayout(row(self.save_button, self.versions))
        self.rows.addLayout(row(self.compare_button, self.restore_button))
        self.rows.addLayout(row(self.import_ink, self.import_edges))
        self.notes = paragraph()
        self.rows.addWidget(self.notes)
        self._is_edited = False
        self._stack: DepthStack | None = None

    def show_state(self, state: InkState) -> None:
        """List the versions, and enable the buttons that apply."""
        self._is_edited, self._stack = state.labels_edited, state.stack
        shown = tuple(self.versions.itemText(index) for index in range(self.versions.count()))
        newest_first = state.versions[::-1]
        # Compared first, because filling the list would reset the selection at each render.
        if shown != newest_first:
            self.versions.clear()
            self.versions.addItems(newest_first)
            self.versions.setCurrentIndex(0 if newest_first else -1)
        compare = state.compared not in ("", "prediction")
        self.compare_button.setText("Stop comparing" if compare else "Compare")
        can_edit = not state.storage.held_by and not state.busy
        self.save_button.setEnabled(can_edit)
        self.compare_button.setEnabled(bool(state.versions))
        self.restore_button.setEnabled(bool(state.versions) and can_edit)
        for one in (self.import_ink, self.import_edges):
            one.setEnabled(can_edit)
        show_text(self.notes, " ".join(state.import_notes))

    def _to_compare(self) -> str:
        # An empty name ends the comparison.
        return self.versions.currentText() if self.compare_button.text() == "Compare" else ""

    def _on_save(self) -> None:
        name, is_given = QInputDialog.getText(self, "Save version", "Name of the version", QLineEdit.EchoMode.Normal)
        if is_given and name.strip():
            self.version_named.emit(name.strip())

    def _on_import(self, what: str) -> None:
        chosen = ask_for_file(self, "import", f"Import {what}", _FILES, self._stack)
        if chosen is not None and (not self._is_edited or self._may_replace(what)):
            self.import_requested.emit(_labels_at(chosen), what)

    def _may_replace(self, what: str) -> bool:
        answer = QMessageBox.question(
            self,
            "Replace your labels?",
            f"Your {what} labels are replaced by those of the file. Undo restores them.",
        )
        return answer == QMessageBox.StandardButton.Yes
