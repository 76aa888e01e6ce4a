"""Phantoms: repeatable, with the statistics of real scans, and with ink that no plain method finds."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage

from napari_ink.errors import OutputError
from napari_ink.phantom import (
    SETS,
    Phantom,
    PhantomConfig,
    make_phantom,
    sample_path,
    set_config,
    write_segment,
)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomConfig(seed=3, height=512, width=512, ragged_edge=0))


@pytest.fixture(scope="module")
def layer(phantom: Phantom) -> np.ndarray:
    """Return a layer in the middle of the sheet, in 8-bit greys."""
    return (phantom.volume[38] // 257).astype(np.float64)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


# Statistics of a real stack (Scroll 1 surface volumes, 7.91 µm); a phantom should be within a third of them.
def test_greys_are_similar_to_a_scan(layer: np.ndarray) -> None:
    real = np.array([56, 82, 112, 160, 203, 231])
    np.testing.assert_allclose(np.percentile(layer, [5, 25, 50, 75, 95, 99]), real, rtol=1 / 3)


def test_neighbouring_layers_are_as_similar_as_in_a_scan(phantom: Phantom) -> None:
    got = [correlation(phantom.volume[38], phantom.volume[38 + lag]) for lag in (1, 2, 4)]
    np.testing.assert_allclose(got, [0.93, 0.74, 0.27], rtol=1 / 3, atol=0.1)


def test_texture_is_as_smooth_as_in_a_scan(layer: np.ndarray) -> None:
    down = [correlation(layer[lag:], layer[:-lag]) for lag in (1, 2, 4, 8, 16)]
    across = [correlation(layer[:, lag:], layer[:, :-lag]) for lag in (1, 2, 4, 8, 16)]
    np.testing.assert_allclose(down, [0.98, 0.93, 0.84, 0.69, 0.48], rtol=1 / 3)
    np.testing.assert_allclose(across, [0.99, 0.96, 0.90, 0.76, 0.56], rtol=1 / 3)


def test_noise_is_similar_to_a_scan(layer: np.ndarray) -> None:
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])  # Immerkær 1996
    noise = np.sqrt(np.pi / 2) / 6 * np.abs(ndimage.convolve(layer, kernel)).mean()
    assert 0.04 * 2 / 3 < noise / layer.std() < 0.08


def test_power_falls_with_frequency_as_in_a_scan(layer: np.ndarray) -> None:
    window = np.hanning(512)[:, None] * np.hanning(512)
    power = np.abs(np.fft.fft2((layer - layer.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512))
    edges = np.geomspace(0.01, 0.4, 20)
    middle = np.sqrt(edges[1:] * edges[:-1])
    mean = [power[(frequency >= a) & (frequency < b)].mean() for a, b in zip(edges, edges[1:], strict=False)]
    slope = np.polyfit(np.log(middle), np.log(mean), 1)[0]
    assert slope == pytest.approx(-3.2, rel=1 / 3)


def test_the_sheet_is_between_gaps(phantom: Phantom) -> None:
    profile = (phantom.volume // 257).mean(axis=(1, 2))
    assert profile[20:28].min() < 30 < 80 < profile[34:42].max()
    assert profile[48:54].min() < 45


def test_ink_is_hidden_in_every_layer_and_in_the_projection(phantom: Phantom) -> None:
    """The mean greys of ink and papyrus differ by a small part of the spread of each."""
    for plane in (*phantom.volume[24:48], phantom.volume[20:50].max(axis=0)):
        ink, papyrus = plane[phantom.ink].astype(float), plane[~phantom.ink].astype(float)
        assert abs(ink.mean() - papyrus.mean()) < 0.5 * papyrus.std()


def test_a_seed_determines_a_phantom() -> None:
    config = PhantomConfig(seed=5, height=64, width=80, depth_layers=33)
    once, twice = make_phantom(config), make_phantom(config)
    np.testing.assert_array_equal(once.volume, twice.volume)
    np.testing.assert_array_equal(once.ink, twice.ink)
    other = make_phantom(config.model_copy(update={"seed": 6}))
    assert (once.volume != other.volume).mean() > 0.5


@pytest.mark.parametrize("size", [(16, 16), (17, 130), (200, 19)])
def test_any_size(size: tuple[int, int]) -> None:
    made = make_phantom(PhantomConfig(seed=0, height=size[0], width=size[1], depth_layers=9))
    assert made.volume.shape == (9, *size) and made.volume.dtype == np.uint16
    assert made.ink.shape == made.mask.shape == size
    assert not (made.volume[:, ~made.mask]).any()
    assert not (made.ink & ~made.mask).any()


def test_without_ink_only_the_labels_depend_on_the_truth() -> None:
    """Only the deposit of ink itself reveals the truth."""
    config = PhantomConfig(seed=2, height=96, width=96, ink_thickness=0)
    bare, inked = make_phantom(config), make_phantom(config.model_copy(update={"ink_thickness": 1.5}))
    far = ~ndimage.binary_dilation(bare.ink, iterations=6)
    np.testing.assert_array_equal(bare.volume[:, far], inked.volume[:, far])
    assert (bare.volume[:, inked.ink] != inked.volume[:, inked.ink]).any()


def test_invalid_parameters_are_refused() -> None:
    with pytest.raises(ValidationError):
        PhantomConfig(seed=0, height=4)


def test_a_written_segment_has_the_fields_layout(tmp_path: Path) -> None:
    made = make_phantom(PhantomConfig(seed=1, height=48, width=64, depth_layers=12))
    folder = write_segment(made, tmp_path / "seg")
    assert sorted(p.name for p in folder.iterdir()) == ["layers", "meta.json", "seg_inklabels.png", "seg_mask.png"]
    names = sorted(p.name for p in (folder / "layers").iterdir())
    assert names == [f"{z:02d}.tif" for z in range(12)]
    np.testing.assert_array_equal(np.stack([tifffile.imread(folder / "layers" / n) for n in names]), made.volume)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "seg_inklabels.png")) > 127, made.ink)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["voxelsize"] == 7.91 and "simulation" in meta["note"]
    assert PhantomConfig.model_validate(meta["phantom"]) == made.config
    with pytest.raises(OutputError, match="exists"):
        write_segment(made, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["seg"]


def test_the_sample_equals_the_phantom_of_its_seed() -> None:
    folder = sample_path()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 15_000_000
    meta = json.loads((folder / "meta.json").read_text())
    made = make_phantom(PhantomConfig.model_validate(meta["phantom"]))
    layers = sorted((folder / "layers").iterdir())
    assert [path.name for path in layers] == [f"{z:02d}.tif" for z in range(65)]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / f"{folder.name}_inklabels.png")) > 127, made.ink)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / f"{folder.name}_mask.png")) > 127, made.mask)
    for z in (0, 31, 64):
        # Another processor may round a grey value to the other side, at most.
        stored = tifffile.imread(layers[z]).astype(int) // 257
        assert np.abs(stored - made.volume[z] // 257).max() <= 1


@pytest.mark.parametrize("seed", [1001, 4000])
def test_hard_ink_is_neither_brighter_nor_darker_than_papyrus(seed: int) -> None:
    inked = make_phantom(PhantomConfig.hard(seed, 256, 256))
    bare = make_phantom(inked.config.model_copy(update={"ink_thickness": 0.0, "ink_texture": 0.0}))
    for with_ink, without in zip(inked.volume[24:48], bare.volume[24:48], strict=True):
        change = with_ink[inked.ink].astype(float) - without[inked.ink]
        assert abs(change.mean()) < 0.15 * without[inked.mask].std()


def test_ink_as_texture_changes_the_grain_and_not_the_mean() -> None:
    bare = make_phantom(PhantomConfig(seed=9, height=192, width=192, ink_thickness=0, noise=0, rings=0))
    inked = make_phantom(bare.config.model_copy(update={"ink_texture": 12.0}))
    inner = ndimage.binary_erosion(bare.ink, iterations=3)
    change = inked.volume.astype(float) / 257 - bare.volume.astype(float) / 257
    strongest = np.abs(change).mean(axis=(1, 2)).argmax()
    assert change[strongest][inner].std() > 2
    assert abs(change[strongest][inner].mean()) < 0.3 * change[strongest][inner].std()
    assert np.abs(change[:, ~ndimage.binary_dilation(bare.ink, iterations=6)]).max() == 0


def test_lost_fibres_remove_their_ink() -> None:
    whole = make_phantom(PhantomConfig(seed=4, height=256, width=256))
    torn = make_phantom(whole.config.model_copy(update={"missing_fibres": 0.2}))
    assert not (torn.ink & ~whole.ink).any()
    assert torn.ink.sum() / whole.ink.sum() == pytest.approx(0.8, abs=0.06)
    gone = whole.ink & ~torn.ink
    runs = [ndimage.binary_opening(gone, np.ones(shape)).sum() for shape in ((1, 15), (15, 1))]
    assert runs[0] > 2 * runs[1]  # strips along the fibres


def test_a_reversed_stack_is_the_same_in_reverse_order() -> None:
    config = PhantomConfig(seed=5, height=64, width=64, depth_layers=33)
    turned = make_phantom(config.model_copy(update={"reversed_depth": True}))
    np.testing.assert_array_equal(turned.volume, make_phantom(config).volume[::-1])


@pytest.mark.parametrize("voxel_size_um", [3.24, 9.6])
def test_another_voxel_size_shows_the_same_papyrus(voxel_size_um: float) -> None:
    scale = 7.91 / voxel_size_um
    size = {"height": round(192 * scale), "width": round(192 * scale), "depth_layers": 2 * round(20 * scale) + 1}
    still = {"noise": 0, "rings": 0, "specks_per_megapixel": 0, "ragged_edge": 0, "seed": 11}
    native = make_phantom(PhantomConfig(**still, height=192, width=192, depth_layers=41))
    other = make_phantom(PhantomConfig(**still, **size, voxel_size_um=voxel_size_um))
    middle = other.volume[size["depth_layers"] // 2].astype(float)
    back = ndimage.zoom(middle, np.divide((192, 192), middle.shape), order=1, grid_mode=True, mode="nearest")
    assert correlation(back[8:-8, 8:-8], native.volume[20, 8:-8, 8:-8].astype(float)) > 0.9
    ink = ndimage.zoom(other.ink, np.divide((192, 192), other.ink.shape), order=0, grid_mode=True, mode="nearest")
    assert (ink == native.ink).mean() > 0.97


def test_a_deeper_surface_is_the_same_some_layers_deeper() -> None:
    still = {"noise": 0, "rings": 0, "specks_per_megapixel": 0, "seed": 12, "height": 96, "width": 96}
    here, deeper = (make_phantom(PhantomConfig(**still, surface_offset=depth)) for depth in (0, 5))
    assert correlation(here.volume[32].astype(float), deeper.volume[37].astype(float)) > 0.98


def test_labels_are_shifted_and_limited_to_the_reviewed_part() -> None:
    config = PhantomConfig(seed=6, height=256, width=256, label_shift=6, reviewed=0.5)
    phantom = make_phantom(config)
    assert phantom.reviewed.sum() / phantom.mask.sum() == pytest.approx(0.5, abs=0.01)
    assert not (phantom.drawn & ~phantom.reviewed).any() and not (phantom.reviewed & ~phantom.mask).any()
    full = make_phantom(config.model_copy(update={"reviewed": 1.0}))
    offsets = [(dy, dx) for dy in range(-7, 8) for dx in range(-7, 8)]
    agreed = [(np.roll(full.ink, offset, (0, 1)) & full.drawn)[16:-16, 16:-16].sum() for offset in offsets]
    assert np.hypot(*offsets[int(np.argmax(agreed))]) == pytest.approx(6, abs=0.8)
    assert (full.ink & ~full.drawn).any() and np.array_equal(phantom.volume, full.volume)


def test_a_segment_stores_labels_beside_the_truth(tmp_path: Path) -> None:
    made = make_phantom(PhantomConfig(seed=6, height=96, width=96, depth_layers=9, label_shift=3, reviewed=0.6))
    folder = write_segment(made, tmp_path / "seg")
    for name, plane in (("inklabels", made.drawn), ("supervision_mask", made.reviewed), ("truth", made.ink)):
        np.testing.assert_array_equal(np.asarray(Image.open(folder / f"seg_{name}.png")) > 127, plane)


def test_a_seed_belongs_to_one_set() -> None:
    seeds = [seed for seeds in SETS.values() for seed in seeds]
    assert len(seeds) == len(set(seeds))
    assert set_config(3000) == PhantomConfig.varied(3000) and set_config(4000) == PhantomConfig.hard(4000)
    assert set_config(1000) == PhantomConfig.varied(1000) and set_config(1001) == PhantomConfig.hard(1001)
    with pytest.raises(ValueError, match="none of the published sets"):
        set_config(7)
