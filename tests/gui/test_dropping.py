"""A segment dropped on napari's picture: the panel opens it on a thread, and everything else is left to napari."""

import threading

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_ink.gui.contributions.reader import read_stack
from napari_ink.gui.models.segments import is_segment_folder
from napari_ink.gui.views.drop_filter import DropFilter
from napari_ink.stack import depth_stack, open_stack, opening
from tests.predict.stored_predictions import noise, write_prediction

NO = Qt.KeyboardModifier.NoModifier


def drop(target, *paths, held=NO):
    """Drop files on a widget, as a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    left, copy = Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction
    # Qt delivers a drop only to the widget that has accepted the drag.
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), copy, mime, left, held))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), copy, mime, left, held))


class Accepting(QWidget):
    """A widget that accepts all drags, and counts the drops that reach it."""

    drops = 0

    def dragEnterEvent(self, event):  # noqa: N802
        event.accept()

    def dropEvent(self, event):  # noqa: N802
        self.drops += 1


@pytest.fixture
def around(qtbot):
    """A canvas inside of a widget that accepts drops, with a filter."""
    outer = Accepting()
    outer.setAcceptDrops(True)
    inner = QWidget(outer)
    qtbot.addWidget(outer)
    made = DropFilter(outer, is_segment_folder)
    made.watch(inner)
    outer.seen = []
    made.dropped.connect(outer.seen.append)
    return outer


def test_one_segment_is_taken_over(around, segment, tmp_path):
    drop(around, segment)
    assert around.seen == [segment] and around.drops == 0
    drop(around, segment, segment)
    drop(around, segment, held=Qt.KeyboardModifier.ShiftModifier)
    drop(around, segment, held=Qt.KeyboardModifier.AltModifier)
    (tmp_path / "picture.png").write_bytes(b"")
    drop(around, tmp_path / "picture.png")
    assert around.seen == [segment] and around.drops == 4


def test_folders_of_segments_projects_and_stacks_are_recognised(segment, tmp_path, empty_session_folder):
    assert is_segment_folder(segment) and is_segment_folder(segment / "layers")
    assert is_segment_folder(empty_session_folder)
    assert not is_segment_folder(tmp_path / "nowhere") and not is_segment_folder(tmp_path)
    assert not is_segment_folder(write_prediction(tmp_path / "p.zarr", noise(1)))


@pytest.fixture
def empty_session_folder(segment, tmp_path):
    """The folder of a project."""
    from napari_ink.annotation import create_project

    create_project(tmp_path / "some.ink", open_stack(segment)).close()
    return tmp_path / "some.ink"


def test_a_layer_added_by_a_reader_reads_nothing_but_the_surface(make_napari_viewer_proxy, tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 60000, (9, 40, 1200), dtype=np.uint16)
    np.save(tmp_path / "wide.npy", values)
    viewer = make_napari_viewer_proxy()
    seen = []
    make_levels = opening.open_stack(tmp_path / "wide.npy").read_block

    def noted(z, y, x, step=1):
        seen.append((range(z.start, z.stop), threading.current_thread() is threading.main_thread()))
        return make_levels(z, y, x, step)

    (data, settings, _) = read_stack(str(tmp_path / "wide.npy"))[0]
    source = data[0]._source
    object.__setattr__(source, "levels", tuple(_noting(level, noted) for level in source.levels))
    layer = Image(data, **settings)
    viewer.add_layer(layer)
    assert viewer.dims.current_step[0] == 4
    assert not [layers for layers, is_main in seen if is_main and 4 not in layers]


def _noting(level, read):
    return depth_stack.Level(level.shape, level.step, read, level.layers_together)


@pytest.mark.window
def test_a_drop_on_the_window_opens_the_segment_in_the_panel(dock, segment, viewer, qtbot, monkeypatch):
    on_main = []
    original = depth_stack.DepthStack.contrast_limits

    def noted(stack):
        on_main.append(threading.current_thread() is threading.main_thread())
        return original(stack)

    monkeypatch.setattr(depth_stack.DepthStack, "contrast_limits", noted)
    target = dock.session.canvas()
    while not target.acceptDrops():
        target = target.parentWidget()
    drop(target, segment)
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    assert [layer.name for layer in viewer.layers] == ["seg-1"] and on_main == [False]
