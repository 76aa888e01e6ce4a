"""Saving a labels layer from napari's own menu."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from napari.layers import Image, Labels
from npe2 import PluginManager, write

from napari_ink.errors import BadInputError
from napari_ink.export import EDGE_LABELS, FORMATS, read_labels
from napari_ink.gui.contributions.writers import write_labels, write_stack
from napari_ink.gui.layers.stack_layer import STACK_KEY
from napari_ink.stack import open_stack

VALUES = np.random.default_rng(0).integers(0, 3, (40, 50), dtype=np.uint8)
MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "napari_ink/napari.yaml").read_text())["contributions"]
WRITER, STACK_WRITER = MANIFEST["writers"]


def _save(layer: Labels, path: Path) -> Path:
    data = layer.as_layer_data_tuple()
    return Path(*write_labels(str(path), data[0], data[1]))


def test_the_manifest_offers_all_formats_except_naparis_own() -> None:
    suffixes = [suffix for form in FORMATS for suffix in form.suffixes]
    assert WRITER["filename_extensions"] == [s for s in dict.fromkeys(suffixes) if s not in (".tif", ".tiff")]


@pytest.mark.parametrize("suffix", WRITER["filename_extensions"])
def test_npe2_finds_the_writer(tmp_path: Path, suffix: str) -> None:
    PluginManager.instance().discover()
    layer = Labels(VALUES, name="Ink labels")
    (path,) = write(str(tmp_path / f"a{suffix}"), [layer.as_layer_data_tuple()], plugin_name="napari-ink")
    truth = (VALUES == 2) * 255 if suffix == ".csv" else VALUES
    np.testing.assert_array_equal(read_labels(path, VALUES.shape).whole(), truth)


def test_edges_masks_and_levels(tmp_path: Path) -> None:
    edges = Labels(VALUES, name="Edge labels")
    assert read_labels(_save(edges, tmp_path / "e.json")).names == EDGE_LABELS
    truth = (VALUES == 1) * 255
    np.testing.assert_array_equal(read_labels(_save(edges, tmp_path / "7_inklabels.zarr")).whole(), truth)
    mask = Labels(truth.astype(np.int32), name="mine")
    np.testing.assert_array_equal(read_labels(_save(mask, tmp_path / "m.csv"), VALUES.shape).whole(), truth)
    levels = Labels([VALUES.astype(int), VALUES[::2, ::2].astype(int)], multiscale=True)
    np.testing.assert_array_equal(read_labels(_save(levels, tmp_path / "l.png")).whole(), VALUES)


def test_an_existing_file_is_replaced_since_napari_has_asked(tmp_path: Path) -> None:
    path = _save(Labels(VALUES), tmp_path / "a.png")
    _save(Labels(2 - VALUES), path)
    np.testing.assert_array_equal(read_labels(path).whole(), 2 - VALUES)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Labels(np.arange(12).reshape(3, 4), name="cells"), "cells holds other values"),
        (Labels(np.zeros((2, 3, 4), np.uint8)), "of one plane"),
        (Labels(VALUES, translate=(512, 0)), "a part of its segment"),
    ],
)
def test_unsuitable_layers_are_refused(tmp_path: Path, layer: Labels, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        _save(layer, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_an_image_of_three_axes_is_saved_as_ome_zarr(tmp_path: Path) -> None:
    PluginManager.instance().discover()
    volume = np.random.default_rng(0).integers(0, 60000, (4, 50, 60), dtype=np.uint16)
    assert STACK_WRITER["filename_extensions"] == [".zarr"]
    for layer in (Image(volume, name="mine"), Image(volume[::-1], name="mine")):  # the second replaces the first
        (path,) = write(str(tmp_path / "a.zarr"), [layer.as_layer_data_tuple()], plugin_name="napari-ink")
        np.testing.assert_array_equal(np.asarray(open_stack(path)), layer.data)
    assert [one.name for one in tmp_path.iterdir()] == ["a.zarr"]


def test_a_stack_can_be_saved_over_its_own_store(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 60000, (4, 50, 60), dtype=np.uint16)
    write_stack(str(tmp_path / "a.zarr"), volume, {})
    stack = open_stack(tmp_path / "a.zarr")
    write_stack(str(tmp_path / "a.zarr"), stack, {"metadata": {STACK_KEY: stack}})
    np.testing.assert_array_equal(np.asarray(open_stack(tmp_path / "a.zarr")), volume)
    assert [one.name for one in tmp_path.iterdir()] == ["a.zarr"]


def test_a_visible_stack_is_saved_completely(make_napari_viewer_proxy, tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 255, (3, 1500, 1100), dtype=np.uint8)
    np.save(tmp_path / "seg.npy", volume)
    viewer = make_napari_viewer_proxy()
    viewer.open(str(tmp_path / "seg.npy"), plugin="napari-ink")
    viewer.layers.save(str(tmp_path / "b.zarr"), plugin="napari-ink")
    np.testing.assert_array_equal(np.asarray(open_stack(tmp_path / "b.zarr")), volume)
    (layer,) = viewer.open(str(tmp_path / "b.zarr"), plugin="napari-ink")
    assert layer.multiscale and layer.data.shape == (3, 1500, 1100)


def test_an_image_that_is_no_stack_is_refused_and_the_old_file_kept(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    for values in (np.zeros((4, 4)), np.zeros((2, 2, 4, 4), np.uint8), np.full((2, 4, 4), 7.5, np.float32)):
        layer = Image(values, rgb=False)
        with pytest.raises(BadInputError):
            write_stack(str(tmp_path / "a.zarr"), *layer.as_layer_data_tuple()[:2])
        assert (tmp_path / "a.zarr").is_dir()
