"""Export: a written file reads back unchanged, and no half-written file is left behind."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_ink.errors import BadInputError, LabelError, OutputError
from napari_ink.export import (
    edge_mask,
    export_source,
    ink_mask,
    supervision_mask,
    write_label_values,
    write_mask,
)
from napari_ink.stack import read_mask
from tests.small_disk import small_disk

SIZES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
LABELS = np.random.default_rng(0).integers(0, 3, (21, 34), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(mask=hnp.arrays(np.bool_, SIZES), suffix=st.sampled_from([".png", ".tif", ".TIFF"]))
def test_a_mask_reads_back(tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, suffix: str) -> None:
    path = write_mask(mask, tmp_path_factory.mktemp("out") / f"m{suffix}")
    raw = np.asarray(Image.open(path)) if suffix == ".png" else tifffile.imread(path)
    assert raw.dtype == np.uint8 and raw.shape == mask.shape and set(np.unique(raw)) <= {0, 255}
    np.testing.assert_array_equal(raw > 0, mask)
    np.testing.assert_array_equal(read_mask(path, mask.shape), mask)


def test_masks_of_labels() -> None:
    np.testing.assert_array_equal(ink_mask(LABELS), LABELS == 2)
    np.testing.assert_array_equal(edge_mask(LABELS), LABELS == 1)
    np.testing.assert_array_equal(supervision_mask(LABELS), LABELS > 0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_label_images_become_masks(tmp_path: Path, suffix: str) -> None:
    source = write_label_values(LABELS, tmp_path / f"labels{suffix}")
    for what, truth in (("ink", LABELS == 2), ("edges", LABELS == 1), ("supervision", LABELS > 0)):
        out = export_source(source, tmp_path / f"{what}.png", what)  # type: ignore[arg-type]
        np.testing.assert_array_equal(np.asarray(Image.open(out)), truth * np.uint8(255))
    out = export_source(source, tmp_path / "same.tif", "labels")
    np.testing.assert_array_equal(tifffile.imread(out), LABELS)


def test_an_existing_name_is_refused(tmp_path: Path) -> None:
    path = write_mask(LABELS > 0, tmp_path / "m.png")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_mask(LABELS > 1, path)
    assert path.read_bytes() == before
    write_mask(LABELS > 1, path, overwrite=True)
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "word"), [("m.jpg", ".png"), ("m", "no suffix"), ("no/m.png", "no folder")])
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, name: str, word: str) -> None:
    with pytest.raises(OutputError, match=word):
        write_mask(LABELS > 0, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_sources_without_the_requested_plane_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nothing at"):
        export_source(tmp_path / "no", tmp_path / "m.png", "ink")
    source = write_mask(LABELS > 0, tmp_path / "mask.png")
    with pytest.raises(BadInputError, match="holds no label values"):
        export_source(source, tmp_path / "m.png", "labels")
    with pytest.raises(LabelError, match="labels end in"):
        export_source(Path(__file__), tmp_path / "m.png", "ink")
    with pytest.raises(BadInputError, match="between 0 and 1"):
        export_source(source, tmp_path / "m.png", "ink", threshold=50)
    assert not (tmp_path / "m.png").exists()


def test_a_name_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too long"):
        write_mask(LABELS > 0, tmp_path / f"{'m' * 300}.png")
    longest = write_mask(LABELS > 0, tmp_path / f"{'m' * 251}.png")
    assert list(tmp_path.iterdir()) == [longest]


def test_the_name_of_a_dangling_link_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "m.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(OutputError, match="exists already"):
        write_mask(LABELS > 0, tmp_path / "m.png")
    assert (tmp_path / "m.png").is_symlink() and not (tmp_path / "gone.png").exists()


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((1500, 1500)) < 0.5
    with small_disk(tmp_path, "64k") as disk:
        with pytest.raises(OutputError, match="disk is full"):
            write_mask(noise, disk / "m.png")
        assert list(disk.iterdir()) == []
