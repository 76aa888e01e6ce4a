"""The map of where not to trust: measured, stored, read again, and told."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy import ndimage

from napari_ink.errors import BadInputError
from napari_ink.model import InkModel
from napari_ink.model.known_texture import KnownTexture
from napari_ink.predict import (
    PredictionEnded,
    PredictionFolder,
    PredictionNote,
    PredictRequest,
    open_prediction,
    unfamiliar_map,
)
from napari_ink.predict.unfamiliar import UNMEASURED
from napari_ink.region import Region
from napari_ink.stack import LOCAL_FIGURES, DepthStack, open_stack, sampled_figures, stack_of_array
from tests.predict.stand_ins import Constant, ink_model, run

SIDE = 384


def papyrus(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(12, SIDE, SIDE)), (1, 2, 2))
    return (128 + 30 * noise / noise.std()).clip(1, 254).astype(np.uint8)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    """Papyrus whose right third has its voxels in disorder."""
    values = papyrus(7)
    part = values[:, :, 256:]
    part[:] = np.random.default_rng(0).permutation(part.ravel()).reshape(part.shape)
    return values


@pytest.fixture(scope="module")
def model() -> InkModel:
    """A model that marks little, with the texture of such papyrus."""
    made = ink_model(Constant(-1, 0), 128, normalisation="stack quantiles", depth_layers=12)
    figures = []
    for seed in (1, 2, 3):
        stack = stack_of_array(papyrus(seed), "s")
        figures.append(sampled_figures(stack, slice(0, 12), made.contract.with_greys_of(stack).prepare))
    known = KnownTexture.of_places(LOCAL_FIGURES, np.concatenate(figures))
    assert known is not None
    return replace(made, provenance={"trained_on": {"scans": 1, "places": [known.model_dump()]}})


@pytest.fixture
def stack(volume: np.ndarray, tmp_path: Path) -> DepthStack:
    np.save(tmp_path / "s.npy", volume)
    return open_stack(tmp_path / "s.npy")


def test_a_run_maps_the_foreign_part_and_tells_its_share(model: InkModel, stack: DepthStack, tmp_path: Path) -> None:
    events = run(PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu"))
    ended = events[-1]
    assert isinstance(ended, PredictionEnded) and ended.unfamiliar is not None
    assert (ended.unfamiliar.levels > 0).tolist() == [[False, False, True]] * 3
    (told,) = [one.sentence for one in events if isinstance(one, PredictionNote) and "unlike" in one.sentence]
    assert told.startswith("33% of the area") and "In the window, the layer 'Unlike training'" in told
    prediction = open_prediction(tmp_path / "p.zarr")
    stored = prediction.unfamiliar()
    assert stored is not None and np.array_equal(stored.levels, ended.unfamiliar.levels)
    assert (stored.side, stored.first, stored.share) == (128, (0, 0), pytest.approx(1 / 3))
    assert told in prediction.provenance["doubts"] and prediction.provenance["unfamiliar"]["share"] == 0.3333


def test_a_resumed_run_has_the_map_of_the_whole_and_the_note_on_ink(
    model: InkModel, stack: DepthStack, tmp_path: Path
) -> None:
    from napari_ink.predict import TilePredicted, predict

    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu", batch_size=1)
    events = predict(request)
    for event in events:
        if isinstance(event, TilePredicted) and event.done == 13:
            break
    events.close()
    half = open_prediction(tmp_path / "p.zarr")
    assert half.unfamiliar() is None and half.done().any() and not half.complete
    resumed = run(replace(request, resume=True))
    at_once = run(replace(request, out=tmp_path / "q.zarr"))
    notes, others = ([one for one in each if isinstance(one, PredictionNote)] for each in (resumed, at_once))
    assert notes == others and len(notes) == 2 and "Hardly any ink" in notes[0].sentence


def test_only_papyrus_of_the_region_is_measured(model: InkModel, stack: DepthStack) -> None:
    fitted = model.with_greys_of(stack)
    found = unfamiliar_map(fitted, stack, Region(130, 384, 140, 384), lambda area: area.y0 < 256)
    assert found is not None and found.first == (128, 128)
    assert (found.levels == UNMEASURED).tolist() == [[False, False], [True, True]] and found.share == 0.5


def test_cards_without_texture_and_taught_models_have_no_map(model: InkModel, stack: DepthStack) -> None:
    fitted = model.with_greys_of(stack)
    for provenance in ({}, {"trained_on": {"scans": 0}}, {**model.provenance, "taught": {}}):
        assert unfamiliar_map(replace(fitted, provenance=provenance), stack, Region(0, 64, 0, 64)) is None


def test_the_list_of_predictions_states_the_share(model: InkModel, stack: DepthStack, tmp_path: Path) -> None:
    (tmp_path / "s.ink" / "predictions").mkdir(parents=True)
    run(PredictRequest(stack, model, tmp_path / "s.ink" / "predictions" / "p.zarr", device="cpu"))
    (row,) = PredictionFolder(tmp_path / "s.ink").read().rows
    assert row.unfamiliar_share == 0.3333 and any("33% of the area" in doubt for doubt in row.doubts)


@pytest.fixture
def store(model: InkModel, stack: DepthStack, tmp_path: Path) -> Path:
    run(PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu"))
    return tmp_path / "p.zarr"


@pytest.mark.parametrize("shape", [(9,), (2, 3), (0, 0)])
def test_a_map_of_another_shape_is_refused(store: Path, shape: tuple[int, ...]) -> None:
    zarr.open_group(store).create_array("unfamiliar", shape=shape, dtype="uint8", overwrite=True)
    with pytest.raises(BadInputError, match="damaged"):
        open_prediction(store).unfamiliar()


@pytest.mark.parametrize("content", ['{"zarr_f', '{"zarr_format": 3, "node_type": "group"}'])
def test_a_map_with_damaged_metadata_is_refused(store: Path, content: str) -> None:
    (store / "unfamiliar" / "zarr.json").write_text(content)
    with pytest.raises(BadInputError, match="unfamiliar"):
        open_prediction(store).unfamiliar()


def test_a_map_whose_values_are_lost_was_not_measured(store: Path) -> None:
    shutil.rmtree(store / "unfamiliar" / "c")
    found = open_prediction(store).unfamiliar()
    assert found is not None and (found.levels == UNMEASURED).all()


def test_a_map_of_a_region_is_read_again(model: InkModel, stack: DepthStack, tmp_path: Path) -> None:
    events = run(PredictRequest(stack, model, tmp_path / "p.zarr", region=Region(130, 384, 120, 300), device="cpu"))
    found, ended = open_prediction(tmp_path / "p.zarr").unfamiliar(), events[-1]
    assert isinstance(ended, PredictionEnded) and ended.unfamiliar is not None and found is not None
    assert found.levels.tolist() == ended.unfamiliar.levels.tolist() and found.first == (128, 0)


def test_a_resumed_run_refuses_damaged_blocks_in_a_sentence(model: InkModel, stack: DepthStack, tmp_path: Path) -> None:
    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu")
    run(request)
    next(one for one in (tmp_path / "p.zarr" / "0" / "c" / "0").rglob("*") if one.is_file()).write_bytes(b"xx")
    with pytest.raises(BadInputError, match="A part of .*p.zarr cannot be read"):
        run(replace(request, resume=True))


def test_a_prediction_is_shown_without_its_damaged_map_and_says_so(store: Path, stack: DepthStack) -> None:
    from napari_ink.gui.jobs.prediction import PredictionFound, chosen_job

    zarr.open_group(store).create_array("unfamiliar", shape=(9,), dtype="uint8", overwrite=True)
    found, *bands = chosen_job(store, stack)
    assert isinstance(found, PredictionFound) and found.unfamiliar is None
    assert len(found.notes) == 1 and "damaged" in found.notes[0]
    assert sum(band.y.stop - band.y.start for band in bands) == SIDE
