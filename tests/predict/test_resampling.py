"""Stacks of smaller voxels than a model was trained on: means are read, said, recorded and resumed."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from napari_ink.cli import main
from napari_ink.errors import BadInputError, ContractError, OutputError
from napari_ink.model import InputContract, load_model
from napari_ink.predict import PredictRequest, ProbeRequest, TilePredicted, contribution, open_prediction, probe
from napari_ink.predict.cluster.worker import _model, job_model
from napari_ink.predict.resampling import with_means
from napari_ink.region import Region
from napari_ink.stack import DepthStack, plane_means
from napari_ink.typing import Float32Array
from tests.model import hybrid_oracle
from tests.model.hybrid_files import LAYERS, SMALL, TILE, network, pth_file
from tests.model.test_crop_scaling import described
from tests.predict.stand_ins import ink_model, make_stack, run, run_until
from tests.predict.test_interruption import chunks

SHAPE = (71, 162, 181)  # of 2.4 µm: no multiples of four
SIDE = 4
SAID = "The stack is resampled for the model, by means of 4 layers and of 4 × 4 pixels: voxels of 2.4 µm become 9.6 µm."


def fine_stack(folder: Path, shape: tuple[int, int, int] = SHAPE, voxel: float | None = 2.4) -> DepthStack:
    return replace(make_stack(folder, shape, dtype=np.uint8), voxel_size_um=voxel)


def request_in(folder: Path, stack: DepthStack | None = None, **settings: object) -> PredictRequest:
    model = load_model(pth_file(folder, network()))
    request = PredictRequest(stack or fine_stack(folder), model, folder / "p.zarr", device="cpu")
    return replace(request, **settings)


def starts(length: int) -> list[int]:
    return [*range(0, length - TILE, TILE // 2), length - TILE]


def predicted_in_a_loop(greys: np.ndarray) -> Float32Array:
    """Return ink at the fine resolution of greys that are means: each tile's map is enlarged, and then blended."""
    weights, side = network().state_dict(), TILE * SIDE
    from_border = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    ramp = np.sin(np.pi / 2 * np.minimum(from_border / (side / 2), 1)) ** 2
    blend = np.maximum(np.rint(np.outer(ramp, ramp) * 256), 1) / 256
    sums, counts = np.zeros((2, greys.shape[1] * SIDE, greys.shape[2] * SIDE))
    for y, x in itertools.product(starts(greys.shape[1]), starts(greys.shape[2])):
        tile = torch.from_numpy(described(greys[:, y : y + TILE, x : x + TILE].astype(np.float64))).float()
        with torch.inference_mode():
            ink = hybrid_oracle.logits(weights, tile[None], SMALL.blocks).sigmoid()
        fine = F.interpolate(ink, scale_factor=SIDE, mode="bilinear", align_corners=False)[0, 0].numpy()
        place = np.s_[y * SIDE : (y + TILE) * SIDE, x * SIDE : (x + TILE) * SIDE]
        sums[place] += fine * blend
        counts[place] += blend
    return sums / counts


@pytest.mark.parametrize("direction", ["as stored", "reversed"])
def test_a_map_equals_that_of_means_in_a_plain_loop(tmp_path: Path, direction: str) -> None:
    request = request_in(tmp_path, batch_size=3)
    if direction == "reversed":
        request = replace(request, model=request.model.reading(direction))
    started = run(request)[0]
    # The middle 68 of 71 layers, with the odd one before them.
    first, last = (2, 70) if direction == "as stored" else (1, 69)
    means = plane_means(request.stack, SIDE)[:][first:last].reshape(LAYERS, 4, 41, 46).astype(np.float64)
    greys = np.rint(means.mean(axis=1))
    expected = predicted_in_a_loop(greys[::-1] if direction == "reversed" else greys)[: SHAPE[1], : SHAPE[2]]
    found = open_prediction(request.out).read("ink")
    assert found.shape == SHAPE[1:] and expected.std() > 0.02
    assert np.abs(found / 255 - expected).max() < 1.2 / 255
    assert f"Reads depth layers {first} to {last - 1} of 71, {direction}." in started.notes
    assert SAID in started.notes and not any("was trained at" in note for note in started.notes)


def test_means_are_recorded_and_the_same_run_without_them_is_another(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(request)
    record = open_prediction(request.out).provenance
    assert record["contract"]["mean_of"] == [4, 4]
    assert record["tile"] == [TILE * SIDE] * 2 and record["z_window"] == [2, 70]
    assert record["stack"]["means_read_from"] == "full resolution"
    assert record["asked_instead_of"] == {}
    plain = run(replace(request, resample=(1, 1), out=tmp_path / "plain.zarr"))[0]
    assert "The stack's voxels are 2.4 µm and the model was trained at 9.6 µm." in plain.notes
    assert "mean_of" not in open_prediction(tmp_path / "plain.zarr").provenance["contract"]
    with pytest.raises(OutputError, match="window of layers, resampling, tile size"):
        run(replace(request, resample=(1, 1), resume=True))


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    stack = fine_stack(tmp_path, (70, 300, 1300))
    request = request_in(tmp_path, stack, batch_size=2)
    run(whole := replace(request, out=tmp_path / "whole.zarr"))
    run_until(request, lambda event: isinstance(event, TilePredicted) and event.done > 0.9 * event.total)
    assert 0 < open_prediction(request.out).done_fraction < 1
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(whole.out)


def test_a_run_goes_on_as_it_began_whatever_the_voxel_sizes_call_for(tmp_path: Path) -> None:
    """A store of a version that did not resample, or of a stack whose voxel size was unknown."""
    stack = fine_stack(tmp_path, (70, 200, 600))
    request = request_in(tmp_path, stack, resample=(1, 1))
    run_until(request, lambda event: isinstance(event, TilePredicted) and event.done > 300)
    events = run(replace(request, resume=True, resample=None))
    assert open_prediction(request.out).complete
    assert not any("resampled" in note for note in events[0].notes)


def test_a_region_has_the_values_of_the_whole(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(request)
    run(part := replace(request, out=tmp_path / "part.zarr", region=Region(33, 130, 50, 171)))
    whole, found = (open_prediction(one.out).read("ink") for one in (request, part))
    np.testing.assert_array_equal(found[33:130, 50:171], whole[33:130, 50:171])


def test_an_unknown_voxel_size_is_said_and_nothing_is_resampled(tmp_path: Path) -> None:
    request = request_in(tmp_path, fine_stack(tmp_path, voxel=None))
    notes = run(request)[0].notes
    assert "The stack's voxel size is unknown; the model was trained at 9.6 µm." in notes
    assert open_prediction(request.out).provenance["tile"] == [TILE, TILE]


def test_too_few_layers_are_refused_by_their_means(tmp_path: Path) -> None:
    request = request_in(tmp_path, fine_stack(tmp_path, (65, 64, 64)))
    with pytest.raises(ContractError, match="64 of its 65 can be read and this model needs 68, 17 means of 4"):
        run(request)


def test_our_own_models_read_stacks_as_they_are(tmp_path: Path) -> None:
    stack = fine_stack(tmp_path, (7, 64, 64))
    ours = ink_model(torch.nn.Conv2d(5, 2, 1), TILE)
    request = PredictRequest(stack, ours, tmp_path / "p.zarr", device="cpu")
    assert "The stack's voxels are 2.4 µm and the model was trained at 7.91 µm." in run(request)[0].notes
    with pytest.raises(BadInputError, match="reads stacks as they are"):
        run(replace(request, out=tmp_path / "q.zarr", resample=(4, 4)))


def test_the_probe_sees_means_and_names_places_in_pixels(tmp_path: Path) -> None:
    stack = fine_stack(tmp_path, (90, 400, 400))
    model = load_model(pth_file(tmp_path, network()))
    mask = np.zeros(stack.shape[1:], bool)
    mask[128:256, 128:256] = True
    request = ProbeRequest(stack, model, mask=mask, device="cpu", tiles=1, reach=4, step=4)
    started, *_ = events = list(probe(request))
    assert started.windows == 6 and started.tiles == (Region(128, 256, 128, 256),)
    assert SAID in started.notes
    assert {event.window.offset for event in events[1:-1]} == {-4, 0, 4}


def test_the_contribution_of_a_mean_belongs_to_its_layers_alike(tmp_path: Path) -> None:
    stack, model = fine_stack(tmp_path), load_model(pth_file(tmp_path, network()))
    parts = contribution(model, stack, 80, 90)
    assert parts.shape == (71,) and not parts[:2].any() and not parts[70:].any()
    groups = parts[2:70].reshape(17, 4)
    np.testing.assert_array_equal(groups, np.repeat(groups[:, :1], 4, axis=1))
    coarse = contribution(replace(model, contract=model.contract.changed(mean_of=(1, 1))), shallow(stack), 20, 22)
    np.testing.assert_allclose(groups.sum(axis=1), coarse, rtol=1e-4, atol=1e-6)


def shallow(stack: DepthStack) -> DepthStack:
    """Return the means of four layers and pixels as a stack in memory."""
    from napari_ink.stack import stack_of_array

    means = plane_means(stack, SIDE)[:][2:70].reshape(17, 4, 41, 46).mean(axis=1)
    return stack_of_array(np.rint(means).astype(np.uint8), "means")


def contract(**entries: object) -> InputContract:
    own = {"depth_layers": 17, "min_depth_layers": 17, "mean": 0.0, "std": 1.0, "voxel_size_um": 9.6}
    return InputContract(**{**own, **entries})


@pytest.mark.parametrize(
    ("voxel", "step", "expected"),
    [
        (2.4, None, (4, 4)),
        (2.399, None, (4, 4)),
        (2.215, None, (4, 4)),  # 8.86 µm
        (3.24, None, (3, 3)),
        (1.129, None, (9, 9)),
        (9.362, None, (1, 1)),
        (7.91, None, (1.2137, 1.2137)),  # neither one nor two voxels are within a tenth
        (6.4, None, (1.5, 1.5)),
        (7.91, 2.4, (4, 1.2137)),
        (1.0, None, (1, 1)),  # the scale of a file that nobody filled in
        (38.0, None, (1, 1)),
        (None, None, (1, 1)),
        (9.6, 2.4, (4, 1)),  # a level of a store, coarser in the plane alone
        (2.4, 9.6, (1, 4)),
    ],
)
def test_whole_numbers_of_voxels_are_averaged_where_they_come_near(
    voxel: float | None, step: float | None, expected: tuple[float, float]
) -> None:
    assert contract().fitted(voxel, step).mean_of == expected


@pytest.mark.parametrize(
    ("depth", "together", "window"),
    [
        (28, 1, (6, 23)),
        (31, 1, (7, 24)),
        (21, 1, (2, 19)),
        (109, 4, (21, 89)),  # of the central 84 planes, in groups of four, the middle 17 groups
        (68, 4, (0, 68)),
    ],
)
def test_the_windows_of_usual_stacks(depth: int, together: int, window: tuple[int, int]) -> None:
    found = contract(mean_of=(together, 1)).z_window(depth)
    assert (found.start, found.stop) == window


@pytest.mark.parametrize("offset", [-9, -4, 0, 3, 8])
def test_a_window_of_groups_mirrors_and_stays_within_its_offsets(offset: int) -> None:
    loose = contract(mean_of=(4, 4), min_depth_layers=5, surface_offset=offset)
    ahead = loose.z_window(75)
    back = loose.changed(direction="reversed").z_window(75)
    assert (back.start, back.stop) == (75 - ahead.stop, 75 - ahead.start)
    assert (ahead.stop - ahead.start) % 4 == 0 and loose.layers_read(75) == (ahead.stop - ahead.start) // 4
    least, most = loose.offsets(75)
    for reachable in (least, most):
        assert loose.changed(surface_offset=reachable).layers_read(75) >= 5
    for beyond in (least - 1, most + 1):
        with pytest.raises(ContractError, match=f"needs 20; choose an offset from {least} to {most}"):
            loose.changed(surface_offset=beyond).z_window(75)


def test_means_of_layers_are_whole_grey_values_in_the_order_of_reading() -> None:
    block = np.array([0, 1, 2, 3, 4, 5, 6, 8], np.uint8).reshape(8, 1, 1)
    found = contract(mean_of=(4, 1), std=1 / 255, direction="reversed").prepare(block)
    np.testing.assert_allclose(found.ravel(), [6, 2], rtol=1e-6)  # 5.75 and 1.5, rounded to even


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    pth_file(tmp_path, network())
    np.save(tmp_path / "segment.npy", np.random.default_rng(0).integers(0, 255, (70, 140, 140), np.uint8))

    def run_it(*options: str) -> str:
        model, out = str(tmp_path / "step-075000.pth"), str(tmp_path / "p.zarr")
        stack = str(tmp_path / "segment.npy")
        assert main(["predict", stack, "-o", out, "--model", model, "--device", "cpu", *options]) == 0
        return capsys.readouterr().err

    return run_it


def test_the_command_says_it_before_the_run(tmp_path: Path, cli: Callable[..., str]) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"voxelsize": 2.4}))
    said = cli()
    assert SAID in said and said.index(SAID) < said.index("Runs on")


def test_the_command_takes_means_for_a_stack_that_states_no_voxel_size(tmp_path: Path, cli: Callable[..., str]) -> None:
    said = cli("--resample", "4")
    assert "by means of 4 layers and of 4 × 4 pixels." in said and "the model itself has no resampling" in said
    record = open_prediction(tmp_path / "p.zarr").provenance
    assert record["contract"]["mean_of"] == [4, 4] and record["asked_instead_of"] == {"mean_of": [1, 1]}


@pytest.mark.parametrize("value", ["0", "4,4,4", "4.", "0.9", "nan", "1e1", "-2", "65", "x"])
def test_the_command_refuses_other_means(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = str(tmp_path / "segment.npy")
    make_stack(tmp_path, (5, 40, 40))
    assert main(["predict", stack, "-o", str(tmp_path / "p.zarr"), "--resample", value]) == 2
    assert "--resample" in capsys.readouterr().err


def test_workers_of_a_cluster_get_the_means(tmp_path: Path) -> None:
    meant = with_means(load_model(pth_file(tmp_path, network())).reading("reversed"), (4, 2))
    given = job_model(meant)
    assert hash(given) and _model(*given).contract == meant.contract
