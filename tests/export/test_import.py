"""Import by the field's rules: padding is cropped, soft masks are cut at half, smaller planes refused; names."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_ink.errors import LabelError, OutputError
from napari_ink.export import (
    LabelName,
    import_edge_labels,
    import_ink_labels,
    import_mask,
    mask_plane,
    next_version,
    parse_label_name,
    read_labels,
    write_label_set,
    write_label_values,
    write_mask,
)

RNG = np.random.default_rng(5)
INK, LOOKED = RNG.random((70, 90)) < 0.3, RNG.random((70, 90)) < 0.6
VALUES = np.where(INK, 2, np.where(LOOKED, 1, 0)).astype(np.uint8)


@pytest.mark.parametrize(
    "name", ["a.png", "a.tif", "a.npy", "a.zarr", "7_inklabels.zarr", "a.geojson", "a.svg", "a.json"]
)
def test_padding_is_cropped_and_smaller_planes_are_refused(tmp_path: Path, name: str) -> None:
    padded = np.pad(INK, ((0, 256 - 70), (0, 256 - 90)))
    path = write_mask(padded, tmp_path / name)
    plane = import_mask(path, INK.shape)
    assert plane.shape == INK.shape
    np.testing.assert_array_equal(plane.whole() > 0, INK)
    with pytest.raises(LabelError, match=r"256 × 256 pixels, smaller than the segment's 300 × 256"):
        import_mask(path, (300, 256))


def test_soft_masks_are_cut_at_half(tmp_path: Path) -> None:
    soft = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(soft).save(tmp_path / "soft.png")
    tifffile.imwrite(tmp_path / "soft.tif", soft.astype(np.uint16) * 257)
    tifffile.imwrite(tmp_path / "wide.tif", soft.astype(np.uint16))  # 8-bit values saved as 16 bits
    np.save(tmp_path / "soft.npy", soft.astype(np.int64))
    for name in ("soft.png", "soft.tif", "wide.tif", "soft.npy"):
        plane = import_mask(tmp_path / name, soft.shape)
        np.testing.assert_array_equal(plane.whole(), np.where(soft >= 128, 255, 0))


def test_masks_of_one_bit_and_of_zero_and_one(tmp_path: Path) -> None:
    Image.fromarray(INK).save(tmp_path / "bit.png")
    np.save(tmp_path / "bool.npy", INK)
    np.save(tmp_path / "one.npy", INK.astype(np.int32))
    np.save(tmp_path / "page.npy", INK[None])
    for name in ("bit.png", "bool.npy", "one.npy", "page.npy"):
        np.testing.assert_array_equal(import_mask(tmp_path / name, INK.shape).whole() > 0, INK)


@pytest.mark.parametrize("values", [INK.astype(np.float32), INK.astype(int) - 1, INK * 70000 + LOOKED, INK[0]])
def test_values_other_than_labels_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(LabelError, match=r"a\.npy"):
        read_labels(tmp_path / "a.npy")


def test_ink_and_supervision_become_label_values(tmp_path: Path) -> None:
    planes = {"inklabels": mask_plane(INK), "supervision_mask": mask_plane(LOOKED)}
    mask, ink = write_label_set(planes, tmp_path, "7", ".png")
    np.testing.assert_array_equal(import_ink_labels(ink, INK.shape).whole(), VALUES)
    other = write_mask(~LOOKED, tmp_path / "looked.tif")
    truth = np.where(INK, 2, np.where(~LOOKED, 1, 0))
    np.testing.assert_array_equal(import_ink_labels(ink, INK.shape, other).whole(), truth)
    mask.unlink()
    np.testing.assert_array_equal(import_ink_labels(ink, INK.shape).whole(), INK * 2)
    values = write_label_values(VALUES, tmp_path / "values.tif")
    np.testing.assert_array_equal(import_ink_labels(values, INK.shape).whole(), VALUES)
    with pytest.raises(LabelError, match="label values"):
        import_mask(values, INK.shape)


def test_edges_are_imported(tmp_path: Path) -> None:
    mask = write_mask(INK, tmp_path / "mask.png")
    np.testing.assert_array_equal(import_edge_labels(mask, INK.shape).whole(), INK)
    values = write_label_values(VALUES, tmp_path / "values.png")
    np.testing.assert_array_equal(import_edge_labels(values, INK.shape).whole(), VALUES)


@given(
    segment=st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_]{0,12}[A-Za-z0-9])?", fullmatch=True),
    kind=st.sampled_from(["inklabels", "supervision_mask", "validation_mask"]),
    version=st.integers(1, 10**6),
    suffix=st.sampled_from([".png", ".zarr"]),
)
def test_a_name_parses_into_its_parts(segment: str, kind: str, version: int, suffix: str) -> None:
    name = LabelName(segment, kind, version, suffix)  # type: ignore[arg-type]
    assert parse_label_name(Path("folder") / str(name)) == name


def test_the_next_version_is_above_all_kinds_and_formats(tmp_path: Path) -> None:
    assert next_version(tmp_path, "7") == next_version(tmp_path / "gone", "7") == 1
    planes = {"inklabels": mask_plane(INK), "validation_mask": mask_plane(LOOKED)}
    names = [path.name for _ in range(2) for path in write_label_set(planes, tmp_path, "7", ".tif")]
    assert names == ["7_validation_mask.tif", "7_inklabels.tif", "7_validation_mask_v2.tif", "7_inklabels_v2.tif"]
    (tmp_path / "7_supervision_mask_v11.zarr").mkdir()
    assert next_version(tmp_path, "7") == 12 and next_version(tmp_path, "77") == 1
    with pytest.raises(OutputError, match=r"7_inklabels_v12\.tif for example"):
        write_mask(INK, tmp_path / "7_inklabels.tif")
