from fnmatch import fnmatch
from pathlib import Path

import npe2
import numpy as np
import pytest
import tifffile
import zarr
from qtpy.QtWidgets import QApplication

import napari_ink
from napari_ink.errors import StackError
from napari_ink.gui.contributions.reader import get_reader
from napari_ink.gui.dock import InkDock
from napari_ink.stack import DepthStack


def test_a_dropped_folder_becomes_one_image_at_its_surface(make_napari_viewer_proxy, segment):
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((4, 8, 8)))  # napari centres the slider only for the first layer
    viewer.open(str(segment), plugin="napari-ink")
    layer = viewer.layers[-1]
    assert layer.name == "seg-1"
    assert layer.data.shape == (12, 96, 128)
    assert viewer.dims.current_step[0] == 6
    assert layer.contrast_limits[0] < layer.contrast_limits[1]


def test_the_image_shows_the_stored_values(make_napari_viewer_proxy, segment):
    viewer = make_napari_viewer_proxy()
    (layer,) = viewer.open(str(segment), plugin="napari-ink")
    viewer.dims.set_point(0, 3)
    stored = tifffile.imread(segment / "layers" / "03.tif")
    assert np.array_equal(np.asarray(layer.data[3]), stored)
    assert layer.get_value((3, 40, 50), world=True) == stored[40, 50]


def test_the_sample_is_in_the_menu(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    (layer,) = viewer.open_sample("napari-ink", "segment")
    assert layer.data.shape[0] == 65
    assert viewer.dims.current_step[0] == 32


def test_broken_segments_give_their_reason(segment):
    (segment / "layers" / "03.tif").unlink()
    read = get_reader(str(segment))
    assert read is not None
    with pytest.raises(StackError, match="3"):
        read(str(segment))


def test_other_paths_are_left_to_other_readers(tmp_path):
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "photo.png")) is None
    assert get_reader([str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]) is None


def test_a_multi_page_tiff_is_read(make_napari_viewer_proxy, tmp_path):
    tifffile.imwrite(tmp_path / "piece.tif", np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30))
    viewer = make_napari_viewer_proxy()
    (layer,) = viewer.open(str(tmp_path / "piece.tif"), plugin="napari-ink")
    assert layer.data.shape == (5, 20, 30)


def test_the_stack_stays_on_disk(segment):
    ((data, settings, kind),) = get_reader(str(segment))(str(segment))
    assert isinstance(data, DepthStack)
    assert kind == "image"
    assert settings["rgb"] is False


def test_formats_are_recognised_by_name_and_zarrs_by_content(tmp_path):
    volume = np.random.default_rng(0).integers(0, 60000, (4, 50, 60), dtype=np.uint16)
    zarr.create_array(tmp_path / "seg.zarr", data=volume)
    assert get_reader(str(tmp_path / "seg.zarr")) is not None
    zarr.create_array(tmp_path / "labels.zarr", data=volume[0])
    assert get_reader(str(tmp_path / "labels.zarr")) is None
    for name in ("a.nrrd", "a.h5", "a.TIF"):
        assert get_reader(str(tmp_path / name)) is not None
    (tmp_path / "seg" / "layers").mkdir(parents=True)
    (tmp_path / "seg" / "layers" / "00.jpg").touch()
    assert get_reader(str(tmp_path / "seg")) is not None
    (tmp_path / "holidays").mkdir()
    (tmp_path / "holidays" / "01.jpg").touch()
    assert get_reader(str(tmp_path / "holidays")) is None
    assert get_reader("https://127.0.0.1:1/nothing.zarr") is None


def test_a_removed_stack_is_no_longer_read(make_napari_viewer_proxy, tmp_path):
    np.save(tmp_path / "wide.npy", np.zeros((3, 1100, 1200), np.uint8))
    viewer = make_napari_viewer_proxy()
    (layer,) = viewer.open(str(tmp_path / "wide.npy"), plugin="napari-ink")
    browser = layer.metadata["napari_ink_browser"]
    assert browser._layer is not None
    viewer.layers.remove(layer)
    assert browser._layer is None


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("https://s3.example.org/seg.zarr?X-Amz-Signature=a%2Fb.png", True),
        ("https://s3.example.org/seg.zarr/?X-Amz-Expires=900", True),
        ("https://example.org/seg.tif?download=1", True),
        ("https://example.org/photo.png?of=seg", False),
        ("scan.H5::entry/data", True),
    ],
)
def test_napari_asks_us_for_addresses_with_queries(path, is_ours):
    patterns = (
        npe2.PluginManifest.from_file(Path(napari_ink.__file__).with_name("napari.yaml"))
        .contributions.readers[0]
        .filename_patterns
    )
    assert any(fnmatch(path.lower(), pattern) for pattern in patterns) is is_ours


def test_a_dataset_in_a_file_is_recognised_by_the_files_suffix():
    assert get_reader("scan.h5::entry/data") is not None
    assert get_reader("scan.txt::entry/data.h5") is None


def test_a_stack_opened_by_napari_brings_up_the_panel(make_napari_viewer_proxy, segment, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.open(str(segment), plugin="napari-ink")
    qtbot.waitUntil(lambda: any(dock.isVisible() for dock in _docks()), timeout=20000)
    (dock,) = _docks()
    assert dock.session.state.stack.name == segment.name
    viewer.window.remove_dock_widget("all")


def _docks() -> list[InkDock]:
    return [one for one in QApplication.allWidgets() if isinstance(one, InkDock)]
