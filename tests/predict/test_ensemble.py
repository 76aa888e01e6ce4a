"""Several views and several models: their mean and disagreement, compared with arithmetic on single predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.predict import AUGMENTATIONS, PredictRequest, TilePredicted, open_prediction
from napari_ink.predict.augmented_views import Orientation
from napari_ink.predict.ensemble import combine, members_of
from napari_ink.predict.grid_choice import choose_grid
from napari_ink.stack import open_stack
from tests.predict.stand_ins import Constant, Smear, ink_model, make_stack, run, run_until
from tests.predict.test_cells import random_model


@given(is_mirrored=st.booleans(), quarters=st.integers(0, 3))
def test_a_reverted_view_is_the_original(is_mirrored: bool, quarters: int) -> None:
    plane = torch.arange(24).reshape(2, 3, 4)
    turn = Orientation(is_mirrored, quarters)
    assert torch.equal(turn.undo(turn.apply(plane)), plane)


def test_all_views_are_different() -> None:
    plane = torch.arange(9).reshape(3, 3)
    model = ink_model(Smear())
    for augment, number in ((("flips",), 4), (("rotations",), 4), (("flips", "rotations"), 8)):
        members = members_of([model], augment, depth=9)
        assert len({tuple(member.turn.apply(plane).flatten().tolist()) for member in members}) == number
    shifted = members_of([model], ("depth",), depth=9)
    assert [member.contract.surface_offset for member in shifted] == [0, -2, 2]
    assert len(members_of([model], ("depth",), depth=5)) == 1, (
        "a view outside the stack has fewer layers than the plain one"
    )
    assert len(members_of([model, model], AUGMENTATIONS, depth=9)) == 2 * 8 * 3


@pytest.mark.parametrize("is_first", [True, False])
def test_tiles_are_as_large_as_the_model_with_the_largest_context_needs(tmp_path: Path, is_first: bool) -> None:
    both = [ink_model(Smear(1), 512, context_px=192), ink_model(Smear(1), 256)]
    request = PredictRequest(make_stack(tmp_path, (5, 90, 150)), both[not is_first], tmp_path / "p.zarr")
    members = members_of(both if is_first else both[::-1], (), depth=5)
    assert choose_grid(request, members).context == 192


def test_mean_and_disagreement_equal_their_formulas() -> None:
    answers = [torch.tensor([[[[0.0]], [[0.2]]]]), torch.tensor([[[[1.0]], [[0.4]]]])]
    np.testing.assert_allclose(combine(answers, [True, True]).flatten(), [0.5, 0.3, 1.0])
    np.testing.assert_allclose(combine(answers, [False, True]).flatten(), [0.5, 0.4, 1.0])
    np.testing.assert_allclose(combine(answers, [False, False]).flatten(), [0.5, 0.0, 1.0])
    assert combine(answers[:1], [True]).shape == (1, 2, 1, 1)


@pytest.mark.parametrize("augment", [("flips",), ("rotations", "depth"), ("flips", "rotations")])
def test_views_of_a_symmetric_model_agree(tmp_path: Path, augment: tuple[str, ...]) -> None:
    # All views agree for a model that uses only the brightest layer of each pixel ...
    request = PredictRequest(
        make_stack(tmp_path, (5, 90, 150)), ink_model(Smear(1), 64), tmp_path / "p.zarr", device="cpu"
    )
    run(request)
    views = replace(request, out=tmp_path / "views.zarr", augment=augment)
    run(views)
    plain, mean = open_prediction(request.out), open_prediction(views.out)
    assert plain.channels == 2 and plain.disagreement is None
    assert mean.disagreement is not None and mean.complete
    for what in ("ink", "edge"):
        assert np.abs(plain.read(what).astype(int) - mean.read(what)).max() <= 1
    assert mean.disagreement[:, :].max() <= 1


def test_views_give_the_mean_of_predictions_of_turned_stacks(tmp_path: Path) -> None:
    # ... but not for a model that uses neighbours: here tiles are as large as the segment, so that turning the stack
    # itself gives the output for each view.
    patches = np.random.default_rng(0).integers(20_000, 45_000, (1, 8, 8), dtype=np.uint16)
    grey = np.kron(patches, np.ones((5, 8, 8), np.uint16))
    model, views = ink_model(Smear(), 64), []
    for quarters in range(4):
        folder = tmp_path / str(quarters)
        folder.mkdir()
        np.save(folder / "turned.npy", np.rot90(grey, quarters, (1, 2)))
        request = PredictRequest(open_stack(folder / "turned.npy"), model, folder / "p.zarr", device="cpu")
        run(request)
        views.append(np.rot90(open_prediction(request.out).read("ink"), -quarters) / 255)
        if quarters == 0:
            whole = replace(request, out=tmp_path / "views.zarr", augment=("rotations",))
            events = run(whole)
    prediction = open_prediction(whole.out)
    np.testing.assert_allclose(prediction.read("ink") / 255, np.mean(views, axis=0), atol=1.5 / 255)
    np.testing.assert_allclose(prediction.read("disagreement") / 255, 2 * np.std(views, axis=0), atol=3 / 255)
    assert prediction.read("disagreement").max() > 50
    tile = next(event for event in events if isinstance(event, TilePredicted))
    np.testing.assert_array_equal(tile.third, prediction.read("disagreement", tile.y, tile.x))


def test_two_models_are_averaged_and_their_difference_is_stored(tmp_path: Path) -> None:
    models = ink_model(Constant(-2, 1), 64), replace(ink_model(Constant(2, 1), 64, mean=0.3), sha256="2" * 64)
    request = PredictRequest(
        make_stack(tmp_path, (5, 70, 150)), models[0], tmp_path / "p.zarr", device="cpu", others=models[1:]
    )
    run_until(request, lambda event: isinstance(event, TilePredicted))
    run(replace(request, resume=True))
    prediction = open_prediction(request.out)
    p = 1 / (1 + np.exp(-2))
    assert set(np.unique(prediction.read("ink"))) <= {127, 128}
    assert np.abs(prediction.read("disagreement") / 255 - 2 * (p - 0.5)).max() < 1.5 / 255
    assert prediction.provenance["others"][0]["sha256"] == "2" * 64


@pytest.mark.parametrize("first", [0, 1])
def test_a_model_without_edges_does_not_weaken_the_edges_of_others(tmp_path: Path, first: int) -> None:
    both = (
        ink_model(Constant(-2, 1), 64),
        replace(ink_model(Constant(2, -100), 64), sha256="2" * 64, name="inky", predicts_edges=False),
    )
    request = PredictRequest(
        make_stack(tmp_path, (5, 70, 150)), both[first], tmp_path / "p.zarr", device="cpu", others=(both[1 - first],)
    )
    began, *_ = run(request)
    prediction = open_prediction(request.out)
    assert set(np.unique(prediction.read("edge"))) == {round(255 / (1 + np.exp(-1)))}
    assert prediction.predicts_edges
    assert "inky: This model predicts no edges." in began.notes
    assert {note.split(": ")[0] for note in began.notes[:-1]} == {"stand-in", "inky"}
    run(replace(request, out=tmp_path / "none.zarr", model=both[1], others=(both[1],)))
    none = open_prediction(tmp_path / "none.zarr")
    assert not none.predicts_edges and not none.read("edge").any()


def test_the_input_of_each_model_is_recorded(tmp_path: Path) -> None:
    models = ink_model(Smear(), 64), ink_model(Smear(), 64).reading(surface_offset=1, direction="reversed")
    request = PredictRequest(
        make_stack(tmp_path, (9, 70, 70)), models[0], tmp_path / "p.zarr", device="cpu", others=models[1:]
    )
    began, *_ = run(request)
    record = open_prediction(request.out).provenance
    assert record["z_window"] == [2, 7] and record["others"][0]["z_window"] == [1, 6]
    assert record["others"][0]["asked_instead_of"] == {"surface_offset": 0, "direction": "as stored"}
    assert any("1 to 5 of 9, reversed" in note for note in began.notes)


@pytest.mark.parametrize(("layers", "depth", "offset"), [(32, 65, 0), (5, 9, 1), (6, 12, -2), (7, 12, 0)])
def test_a_stack_in_reverse_order_read_in_reverse_gives_the_same_map(
    tmp_path: Path, layers: int, depth: int, offset: int
) -> None:
    model = random_model(96)
    model = replace(model, contract=model.contract.changed(depth_layers=layers, surface_offset=offset))
    maps = []
    for name, direction in (("front", None), ("back", "reversed")):
        (tmp_path / name).mkdir()
        stack = make_stack(tmp_path / name, (depth, 120, 130))
        if direction is not None:
            volume = np.load(stack.source)
            np.save(stack.source, volume[::-1])
            stack = open_stack(stack.source)
        out = tmp_path / f"{name}.zarr"
        run(PredictRequest(stack, model.reading(direction), out, device="cpu", augment=("depth",)))
        maps.append([open_prediction(out).read(what) for what in ("ink", "edge", "disagreement")])
    np.testing.assert_array_equal(maps[0], maps[1])
    assert maps[0][0].std() > 0


def test_shifted_windows_of_our_own_network_are_averaged(tmp_path: Path) -> None:
    stack, model = make_stack(tmp_path, (12, 200, 180)), random_model(96)
    request = PredictRequest(stack, model, tmp_path / "views.zarr", device="cpu", augment=("depth",))
    run(request)
    shifted = []
    for shift in (0, -2, 2):
        one = replace(request, out=tmp_path / f"{shift}.zarr", augment=(), model=model.reading(surface_offset=shift))
        run(one)
        shifted.append(open_prediction(one.out).read("ink").astype(float))
    mean = open_prediction(request.out).read("ink")
    assert np.std(shifted, axis=0).max() > 1
    np.testing.assert_allclose(mean, np.mean(shifted, axis=0), atol=1.5)
