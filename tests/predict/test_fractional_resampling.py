"""Stacks resampled by no whole number of voxels: the map lies on the segment's pixels, and tiles do not show."""

import itertools
import math
import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from napari_ink.cli import main
from napari_ink.cli.reproduce import command_again
from napari_ink.errors import OutputError
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, ProbeRequest, TilePredicted, contribution, open_prediction, probe
from napari_ink.predict.cluster.worker import _model, job_model
from napari_ink.predict.ensemble import stack_place
from napari_ink.predict.resampled_grid import ResampledGrid, resampled_grid
from napari_ink.predict.resampling import with_means
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from napari_ink.stack import DepthStack, plane_means, stack_of_array
from napari_ink.typing import Float32Array
from tests.model import hybrid_oracle
from tests.model.hybrid_files import LAYERS, SMALL, TILE, network, pth_file
from tests.model.test_crop_scaling import described
from tests.predict.stand_ins import ink_model, make_stack, run, run_until
from tests.predict.test_interruption import chunks
from tests.predict.test_resampling import contract, starts
from tests.test_area_means import summed_parts

SHAPE, SIDE = (25, 130, 151), 1.2137
FACTOR = Fraction(12137, 10000)
SAID = (
    "The stack is resampled for the model, by means of 1.2137 layers and of 1.2137 × 1.2137 pixels: voxels of 7.91 µm "
    "become 9.6 µm."
)


def fine_stack(folder: Path, shape: tuple[int, int, int] = SHAPE) -> DepthStack:
    return replace(make_stack(folder, shape, dtype=np.uint8), voxel_size_um=7.91)


def request_in(folder: Path, stack: DepthStack | None = None, **settings: object) -> PredictRequest:
    model = load_model(pth_file(folder, network()))
    request = PredictRequest(stack or fine_stack(folder), model, folder / "p.zarr", device="cpu")
    return replace(request, **settings)


def averaged(values: np.ndarray, axis: int, number: int) -> np.ndarray:
    """Return means along an axis, each a sum over parts of voxels."""
    weights = np.array([summed_parts(one, FACTOR, values.shape[axis]) for one in range(number)])
    return np.moveaxis(np.tensordot(weights, values.astype(np.float64), (1, axis)), 0, axis)


def middles(first: int, length: int, tile: int) -> np.ndarray:
    """Return the middles of pixels in a tile's pixels, of which 0 is the middle of the first."""
    return (np.arange(first, first + length) + 0.5) / SIDE - 0.5 - tile


def predicted_in_a_loop(greys: np.ndarray, shape: tuple[int, int]) -> Float32Array:
    """Return ink at the segment's pixels: each tile's map is interpolated at their middles, and then blended."""
    weights, side, stride = network().state_dict(), math.ceil(TILE * SIDE), math.floor(TILE // 2 * SIDE)
    from_border = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    ramp = np.sin(np.pi / 2 * np.minimum(from_border / (side - stride), 1)) ** 2
    blend = np.maximum(np.rint(np.outer(ramp, ramp) * 256), 1) / 256
    sums, counts = np.zeros((2, shape[0] + side, shape[1] + side))
    for y, x in itertools.product(starts(greys.shape[1]), starts(greys.shape[2])):
        tile = torch.from_numpy(described(greys[:, y : y + TILE, x : x + TILE].astype(np.float64))).float()
        with torch.inference_mode():
            ink = hybrid_oracle.logits(weights, tile[None], SMALL.blocks).sigmoid()[0, 0].numpy()
        top, left = (math.ceil(start * SIDE - 0.5) for start in (y, x))
        at = np.meshgrid(middles(top, side, y), middles(left, side, x), indexing="ij")
        place = np.s_[top : top + side, left : left + side]
        sums[place] += map_coordinates(ink, at, order=1, mode="nearest") * blend
        counts[place] += blend
    return (sums / np.maximum(counts, 1e-9))[: shape[0], : shape[1]]


@pytest.mark.parametrize("direction", ["as stored", "reversed"])
def test_a_map_equals_that_of_parted_means_in_a_plain_loop(tmp_path: Path, direction: str) -> None:
    request = request_in(tmp_path, batch_size=3)
    request = replace(request, model=request.model.reading(direction))  # type: ignore[arg-type]
    started = run(request)[0]
    # 20.63 layers in the middle of 25, beginning with a whole one in the direction of reading.
    first, last = (2, 23)
    values = np.load(tmp_path / "segment.npy")[first:last]
    plane = np.rint(averaged(averaged(values, 1, 108), 2, 125))
    greys = np.rint(averaged(plane[::-1] if direction == "reversed" else plane, 0, LAYERS))
    expected = predicted_in_a_loop(greys, SHAPE[1:])
    found = open_prediction(request.out).read("ink")
    assert found.shape == SHAPE[1:] and expected.std() > 0.02
    assert np.abs(found / 255 - expected).max() < 1.5 / 255
    assert f"Reads depth layers {first} to {last - 1} of 25, {direction}." in started.notes
    assert SAID in started.notes and not any("was trained at" in note for note in started.notes)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_map_is_not_moved(axis: int, tmp_path: Path) -> None:
    """A ramp is its own mean and its own interpolation, so half a pixel in the wrong place would show everywhere."""
    shape = (6, 150, 170)
    values = (np.indices(shape)[axis] * 256 + 5000).astype(np.uint16)
    passing = torch.nn.Conv2d(5, 2, 1, bias=False)
    with torch.no_grad():
        passing.weight.fill_(1 / 5)
    ours = ink_model(passing, TILE, mean=0.4, std=0.1, voxel_size_um=None)
    model = replace(ours, config=None).reading(mean_of=(1, 1.7))
    stack = stack_of_array(values, "ramp")
    run(PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu", overlap=0.25, resample=(1, 1.7)))
    found = open_prediction(tmp_path / "p.zarr").read("ink")
    expected = 255 / (1 + np.exp(-(values[0] / 65535 - 0.4) / 0.1))
    assert np.ptp(expected) > 200
    # Along the border values are repeated, and all tiles there weigh the least that they can.
    assert np.abs(found - expected)[2:-2, 2:-2].max() < 0.8


def test_a_region_has_the_values_of_the_whole(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(request)
    run(part := replace(request, out=tmp_path / "part.zarr", region=Region(33, 120, 50, 141)))
    whole, found = (open_prediction(one.out).read("ink") for one in (request, part))
    np.testing.assert_array_equal(found[33:120, 50:141], whole[33:120, 50:141])


def test_the_factor_is_recorded_and_another_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = fine_stack(tmp_path, (25, 300, 560))
    request = request_in(tmp_path, stack, batch_size=2)
    run(whole := replace(request, out=tmp_path / "whole.zarr"))
    run_until(request, lambda event: isinstance(event, TilePredicted) and event.done > 0.95 * event.total)
    record = open_prediction(request.out).provenance
    assert record["contract"]["mean_of"] == [SIDE, SIDE] and record["z_window"] == [2, 23]
    assert record["tile"] == [39, 39] and record["stack"]["means_read_from"] == "full resolution"
    assert 0 < open_prediction(request.out).done_fraction < 1
    for other in ((SIDE, 1.25), (1, 1), (1.25, SIDE)):
        with pytest.raises(OutputError, match="resampling"):
            run(replace(request, resample=other, resume=True))
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(whole.out)
    again = command_again(record)
    assert again is not None and "--resample 1.2137,1.2137" in again and "--tile-size 32" in again
    segment, model = str(tmp_path / "segment.npy"), str(tmp_path / "step-075000.pth")
    out = str(tmp_path / "again.zarr")
    options = ["--device", "cpu", "--resample", "1.2137,1.2137", "--tile-size", "32"]
    assert main(["predict", segment, "-o", out, "--model", model, *options]) == 0
    assert "by means of 1.2137 layers and of 1.2137 × 1.2137 pixels." in capsys.readouterr().err
    assert chunks(Path(out)) == chunks(whole.out)


def test_workers_of_a_cluster_get_the_factor(tmp_path: Path) -> None:
    meant = with_means(load_model(pth_file(tmp_path, network())).reading("reversed"), (SIDE, 2.5))
    given = job_model(meant)
    assert hash(given) and _model(*given).contract == meant.contract
    grid = resampled_grid((100, 100), 32, 1, 0.5, 1, 0, SIDE)
    sent = pickle.loads(pickle.dumps(grid))
    assert sent == grid and hash(sent) == hash(grid)


def test_the_probe_and_the_depth_profile_read_the_same(tmp_path: Path) -> None:
    stack, model = fine_stack(tmp_path, (40, 200, 200)), load_model(pth_file(tmp_path, network()))
    mask = np.zeros(stack.shape[1:], bool)
    mask[60:130, 60:130] = True
    started, *_ = list(probe(ProbeRequest(stack, model, mask=mask, device="cpu", tiles=1, reach=4, step=4)))
    assert started.windows == 6 and SAID in started.notes
    (place,) = started.tiles
    assert place.height in (38, 39) and Region(60, 130, 60, 130).within(place) == place

    parts = contribution(model, stack, 80, 90)
    assert parts.shape == (40,) and not parts[:10].any() and not parts[31:].any() and parts[10:31].all()
    z = slice(10, 31)
    means = np.rint(averaged(plane_means(stack, SIDE)[:][z], 0, LAYERS)).astype(np.uint8)
    plain = replace(model, contract=model.contract.changed(mean_of=(1, 1)))
    by_mean = contribution(plain, stack_of_array(means, "means"), math.floor(80.5 / SIDE), math.floor(90.5 / SIDE))
    expected = sum(part * summed_parts(n, FACTOR, 21) for n, part in enumerate(by_mean))
    np.testing.assert_allclose(parts[z], expected, rtol=1e-3, atol=1e-6)


factors = st.integers(10_001, 90_000).map(lambda parts: parts / 10_000)


# A window that reaches beyond both ends of the stack still holds as many whole means as fit.
@example(9.0, 20, 0)
@given(factors, st.integers(20, 200), st.integers(-12, 12))
def test_a_window_mirrors_and_stays_within_its_offsets(factor: float, depth: int, offset: int) -> None:
    loose = contract(mean_of=(factor, 1), min_depth_layers=2, surface_offset=offset)
    least, most = loose.offsets(depth)
    for reachable in (least, most):
        assert loose.changed(surface_offset=reachable).layers_read(depth) >= 2
    if not least <= offset <= most:
        return
    ahead, back = (loose.changed(direction=way).z_window(depth) for way in ("as stored", "reversed"))
    assert ahead.start >= 0 and ahead.stop <= depth
    assert (back.start, back.stop) == (depth - ahead.stop, depth - ahead.start)
    number = loose.layers_read(depth)
    assert ahead.stop - ahead.start == math.ceil(number * Fraction(str(factor)))
    block = np.random.default_rng(0).integers(0, 255, (depth, 2, 2), np.uint8)
    prepared = loose.prepare(block[ahead])
    mirrored = loose.changed(direction="reversed").prepare(block[::-1][back])
    assert len(prepared) == number
    np.testing.assert_array_equal(prepared, mirrored)
    places = stack_place(loose, depth, torch.tensor([0.0, 1.0])) * (depth - 1)
    expected = [ahead.start + factor / 2 - 0.5, ahead.start + (number - 0.5) * factor - 0.5]
    np.testing.assert_allclose(places.numpy(), expected, atol=1e-3)


@given(factors, st.integers(30, 700), st.sampled_from([0.0, 0.25, 0.5]))
def test_tiles_leave_no_pixel_out_and_stand_for_what_is_seen(factor: float, length: int, overlap: float) -> None:
    grid = resampled_grid((length, length), 32, 1, overlap, 1, 0, factor)
    tiles = [row[0] for row in grid.rows(Region.whole((length, length)))]
    scale = Fraction(str(factor))
    assert tiles[0].y0 == 0 and tiles[-1].y1 == length
    assert all(after.y0 <= before.y1 for before, after in itertools.pairwise(tiles))
    for tile, start in zip(tiles, grid.seen.starts(0), strict=True):
        assert grid.read_area(tile).y0 == start
        # The first pixel is the first one whose middle lies in the tile.
        assert tile.y0 + Fraction(1, 2) >= start * scale > tile.y0 - Fraction(1, 2)
        assert grid.first_pixel(tile)[0] == (tile.y0 + Fraction(1, 2)) / scale - start


def test_the_first_pixel_of_a_tile_is_that_of_a_grid_without_resampling_at_a_factor_of_one() -> None:
    plain = tile_grid((90, 70), 32, 8, 0.0)
    same = ResampledGrid(plain.shape, plain.tile, plain.stride, coarse=plain, scale=Fraction(1))
    tile = next(iter(plain.rows(Region.whole((90, 70)))))[0]
    assert plain.first_pixel(tile) == same.first_pixel(tile) == (Fraction(1, 2), Fraction(1, 2))
