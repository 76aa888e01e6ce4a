"""A small segment, a model with random weights, and the dock in a real window."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
import numpy as np
import pytest
import tifffile
import torch
from napari.settings import get_plugin_settings
from napari.utils.notifications import NotificationSeverity, notification_manager
from PIL import Image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication

from napari_ink.gui.dock import InkDock
from napari_ink.gui.models.prediction import model_entry
from napari_ink.model import InkEdgeConfig, InputContract, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from tests.gui.driving import bring_up, on_canvas, send, settle
from tests.gui.windowless import held_jobs, job_runner, open_session, session, state_store, viewer_model  # noqa: F401

DEPTH, HEIGHT, WIDTH = 12, 96, 128


@pytest.fixture(autouse=True, scope="module")
def _little_to_collect() -> None:
    """Freeze existing objects: the three garbage collections around each window skip them, which saves 0.1 s each."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A segment folder of single-page TIFFs with a papyrus mask that excludes the first 16 columns."""
    folder = tmp_path / "seg-1"
    (folder / "layers").mkdir(parents=True)
    values = np.random.default_rng(1).integers(1000, 50000, (DEPTH, HEIGHT, WIDTH), dtype=np.uint16)
    for z, plane in enumerate(values):
        tifffile.imwrite(folder / "layers" / f"{z:02d}.tif", plane)
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[:, :16] = 0
    Image.fromarray(mask).save(folder / "seg-1_mask.png")
    return folder


@pytest.fixture
def large_stack(tmp_path: Path) -> Path:
    """A stack of a thousand tiles, large enough to stop a run on it."""
    values = np.random.default_rng(2).integers(1000, 50000, (8, 768, 768), dtype=np.uint16)
    np.save(tmp_path / "large.npy", values)
    return tmp_path / "large.npy"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint with random weights whose logits straddle zero; small tiles of 32 pixels for runs of many tiles."""
    torch.manual_seed(0)
    network = InkEdgeNetwork(InkEdgeConfig.tiny())
    torch.nn.init.normal_(network.heads.weight, std=10.0)
    with torch.no_grad():
        network.heads.bias[:] = torch.tensor([-0.6, -2.9])
    contract = InputContract(depth_layers=8, min_depth_layers=4, mean=0.4, std=0.3, voxel_size_um=None, tile_size=32)
    config = InkEdgeConfig.tiny()
    return save_checkpoint(tmp_path / "random.safetensors", network, config, contract, {"made for": "tests"})


@pytest.fixture
def dock(make_napari_viewer_proxy, checkpoint, qtbot):
    """The dock in a window on the screen, with the random model chosen."""
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1400, 950)
    dock = InkDock(viewer)
    viewer.window.add_dock_widget(dock, name="Ink", area="right")
    dock.predict.add_model(model_entry(checkpoint))
    qtbot.waitUntil(dock.isVisible)
    return dock


@pytest.fixture
def open_in_dock(dock, qtbot) -> Callable[[Path], None]:
    """Open a stack in the dock, and wait for it."""

    def open_stack(source: Path) -> None:
        dock.open_stack(source)
        qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)

    return open_stack


@pytest.fixture
def label_in_dock(dock, open_in_dock, click, qtbot) -> Callable[[Path], None]:
    """Open a stack in the dock, and make empty labels for it."""

    def label_stack(source: Path) -> None:
        open_in_dock(source)
        click(dock.correct.editable_button)
        qtbot.waitUntil(lambda: dock.session.state.labels)

    return label_stack


@pytest.fixture
def open_dock(dock, segment, open_in_dock):
    """The dock with the segment open."""
    open_in_dock(segment)
    return dock


@pytest.fixture
def qtbot(qtbot):
    """The bot of pytest-qt, whose waits return once the panel shows the new state."""
    wait_until = qtbot.waitUntil

    def wait_and_settle(*words, **settings) -> None:
        wait_until(*words, **{"timeout": 20000, **settings})  # a busy machine needs more than the usual 5 s
        settle()

    qtbot.waitUntil = wait_and_settle
    return qtbot


@pytest.fixture
def wait(qtbot) -> Callable:
    """Wait until a condition is true."""

    def until(is_so: Callable[[], bool]) -> None:
        qtbot.waitUntil(is_so, timeout=60000)

    return until


@pytest.fixture
def large_dock(dock, large_stack, wait):
    """The dock with a stack of a thousand tiles."""
    dock.open_stack(large_stack)
    wait(lambda: dock.session.state.stack is not None and not dock.session.state.busy)
    return dock


@pytest.fixture
def click(qtbot) -> Callable:
    """Open the step of a button, press it with the mouse once it is enabled, and let the panel show the result."""

    def press(button) -> None:
        settle()  # first show the current state, as a person would see it
        bring_up(button)
        qtbot.waitUntil(lambda: button.isVisible() and button.isEnabled(), timeout=10000)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        settle()

    return press


@pytest.fixture
def predicted_dock(open_dock, click, qtbot):
    """The dock after a whole prediction."""
    click(open_dock.predict.run_button)
    qtbot.waitUntil(
        lambda: open_dock.session.state.run is None and bool(open_dock.session.state.outcome), timeout=60000
    )
    return open_dock


@pytest.fixture
def labelled_dock(predicted_dock, click, qtbot):
    """The dock with the prediction made editable."""
    click(predicted_dock.correct.editable_button)
    qtbot.waitUntil(lambda: predicted_dock.session.state.labels and not predicted_dock.session.state.busy)
    return predicted_dock


@pytest.fixture
def empty_dock(dock, segment, label_in_dock):
    """The dock with empty labels on a stack without a prediction."""
    label_in_dock(segment)
    return dock


@pytest.fixture
def canvas(dock):
    return next(w for w in QApplication.allWidgets() if w.inherits("QOpenGLWidget") and w.isVisible())


@pytest.fixture
def press(canvas, qtbot):
    """Press a key over the picture."""

    def press_key(key: str, control: bool = False, shift: bool = False) -> None:
        held = Qt.KeyboardModifier.NoModifier
        held |= Qt.KeyboardModifier.ControlModifier if control else held
        held |= Qt.KeyboardModifier.ShiftModifier if shift else held
        canvas.setFocus()
        qtbot.keyClick(canvas, getattr(Qt.Key, f"Key_{key}"), held)
        settle()

    return press_key


@pytest.fixture
def viewer(dock):
    """The viewer of the dock."""
    return napari.current_viewer()


@contextlib.contextmanager
def _notifications(*severities: NotificationSeverity) -> Iterator[list[str]]:
    seen: list[str] = []

    def see(notification) -> None:
        if notification.severity in severities:
            seen.append(notification.message)

    notification_manager.notification_ready.connect(see)
    yield seen
    notification_manager.notification_ready.disconnect(see)


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """The errors that napari has shown to the user since the test started."""
    with _notifications(NotificationSeverity.ERROR) as seen:
        yield seen


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """All messages that napari has shown to the user since the test started."""
    with _notifications(*NotificationSeverity) as seen:
        yield seen


@pytest.fixture
def stroke(qtbot) -> Callable:
    """Drag the mouse over the picture, from one position in segment pixels (y, x) to the next."""

    def drag(*places: tuple[float, float], button: str = "Left", held: str = "No", double: bool = False) -> None:
        viewer = napari.current_viewer()
        canvas = next(w for w in QApplication.allWidgets() if w.inherits("QOpenGLWidget") and w.isVisible())
        points = [on_canvas(viewer, canvas, place) for place in places]
        down, none = getattr(Qt.MouseButton, f"{button}Button"), Qt.MouseButton.NoButton
        keys = getattr(Qt.KeyboardModifier, f"{held}Modifier")
        send(canvas, QEvent.Type.MouseMove, points[0], none, none, keys)
        send(canvas, QEvent.Type.MouseButtonPress, points[0], down, down, keys)
        for point in points[1:]:
            send(canvas, QEvent.Type.MouseMove, point, none, down, keys)
        send(canvas, QEvent.Type.MouseButtonRelease, points[-1], down, none, keys)
        if double:
            send(canvas, QEvent.Type.MouseButtonDblClick, points[-1], down, down, keys)
            send(canvas, QEvent.Type.MouseButtonRelease, points[-1], down, none, keys)
        qtbot.wait(20)

    return drag


@pytest.fixture(autouse=True)
def _no_contrast_remembered() -> Iterator[None]:
    """Start each test with napari's default Preferences."""
    yield
    get_plugin_settings("napari-ink").contrast.remembered = "{}"
