"""Adaptation without labels: its files, its records, its resumption, and what it refuses."""

import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_ink.cli import main
from napari_ink.errors import BadInputError, ContractError, OutputError
from napari_ink.model import InkModel, load_model, save_checkpoint
from napari_ink.model.losses import IGNORE
from napari_ink.predict import familiarity_notes
from napari_ink.stack import open_stack, stack_of_array
from napari_ink.training import (
    AdaptationDoubted,
    AdaptEvent,
    AdaptRequest,
    CropSampler,
    ModelAdapted,
    PhantomMade,
    RoundBegun,
    StepEnded,
    TeachingNote,
    TrainingEvent,
    TrainRequest,
    adapt,
    batches,
    train,
)
from napari_ink.training.teaching import adapt as adaptation
from napari_ink.training.teaching import replay
from napari_ink.training.teaching.pseudo_labels import sample_map
from napari_ink.training.teaching.replay import world_pair_count, world_pairs
from tests.training.small import CONFIG, CONTRACT

TRAINED_ON = {"scans": 0, "phantoms": 9}


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Crops and phantoms that take no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "_CROP_PX", 64)
        patch.setattr(replay, "_WORLD_SIDE_PX", 96)
        patch.setattr(replay, "_WRITTEN", 1)
        patch.setattr(replay, "_BLANK", 1)
        patch.setattr(replay, "make_world_phantom", lru_cache(replay.make_world_phantom))
        yield


@pytest.fixture(scope="module")
def start(start_file: Path, segment: Path, tmp_path_factory: pytest.TempPathFactory) -> InkModel:
    """A random network that marks a fifth of the segment as ink, and is surer than random networks are."""
    file, model = tmp_path_factory.mktemp("model") / "s.safetensors", load_model(start_file)
    with torch.no_grad():
        model.network.heads.weight[0] *= 200
    logits = sample_map(model, open_stack(segment), None, 9).on_papyrus()
    with torch.no_grad():
        model.network.heads.bias[0] -= float(np.quantile(logits, 0.8))
    return load_model(save_checkpoint(file, model.network, CONFIG, CONTRACT, {"trained_on": TRAINED_ON}))


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segment with a papyrus mask, whose last rows are beside the papyrus."""
    folder = tmp_path_factory.mktemp("seg")
    np.save(folder / "seg.npy", np.random.default_rng(1).integers(0, 60000, (16, 100, 90)).astype(np.uint16))
    mask = np.full((100, 90), 255, np.uint8)
    mask[80:] = 0
    imsave(folder / "seg_mask.png", mask, check_contrast=False)
    return folder / "seg.npy"


@pytest.fixture(scope="module")
def plain(start: InkModel, segment: Path, tmp_path_factory: pytest.TempPathFactory) -> AdaptRequest:
    """A request for two rounds of two steps."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return AdaptRequest([open_stack(segment)], start, out, rounds=2, steps=2, worlds=("tubes",))


@pytest.fixture(scope="module")
def events(plain: AdaptRequest) -> list[AdaptEvent]:
    """All events of that request."""
    return list(adapt(plain))


@pytest.fixture(scope="module")
def made(events: list[AdaptEvent]) -> ModelAdapted:
    """The last of them."""
    assert isinstance(events[-1], ModelAdapted)
    return events[-1]


def weights(path: Path) -> np.ndarray:
    return np.concatenate([one.detach().numpy().ravel() for one in load_model(path).network.parameters()])


def test_each_round_learns_from_the_surest_papyrus_and_the_record_says_so(
    events: list[AdaptEvent], made: ModelAdapted, start: InkModel
) -> None:
    first, second = (event for event in events if isinstance(event, RoundBegun))
    papyrus = 80 * 90
    assert (first.number, second.number, first.rounds) == (1, 2, 2)
    assert first.ink_px == pytest.approx(0.07 * papyrus, abs=2)
    assert first.papyrus_px == pytest.approx(0.6 * papyrus, abs=2)
    assert sum(isinstance(event, StepEnded) for event in events) == 4
    files = sorted(one.name for one in made.path.parent.iterdir())
    assert files == ["adapted.safetensors", "round-1.safetensors", "round-2.safetensors"]
    assert not np.array_equal(weights(made.path), weights(Path(str(start.source))))
    record = load_model(made.path).provenance
    assert record["adapted"]["segments"][0]["name"] == "seg" and record["adapted"]["rounds"] == 2
    assert record["started_from"]["sha256"] == start.sha256
    assert record["thresholds"]["ink"] == made.threshold


def test_what_is_surest_says_nothing_of_edges(
    plain: AdaptRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The surest ink ends inside of strokes: nearly all targets of edges were that there are none."""
    asked: list[TrainRequest] = []

    def train_and_keep(request: TrainRequest) -> Generator[TrainingEvent, None, None]:
        asked.append(request)
        return train(request)

    monkeypatch.setattr(adaptation, "train", train_and_keep)
    list(adapt(replace(plain, out=tmp_path / "out", rounds=1, steps=1)))
    own, *phantoms = asked[0].pairs
    batch = next(iter(batches(CropSampler([own], CONTRACT, 64), asked[0].settings, torch.device("cpu"))))
    assert (batch.edge == IGNORE).all()
    assert {0, 1} <= set(batch.ink.unique().tolist())
    assert all(one.edges is None for one in phantoms)


def test_a_model_that_no_label_has_judged_still_says_that_a_scan_is_outside(
    made: ModelAdapted, plain: AdaptRequest
) -> None:
    trained_on = load_model(made.path).provenance["trained_on"]
    assert {name: trained_on[name] for name in TRAINED_ON} == TRAINED_ON
    (told,) = familiarity_notes(load_model(made.path), plain.stacks[0])
    assert "no scan was among it" in told


def test_an_adapted_checkpoint_of_before_is_known_to_have_seen_no_scan(plain: AdaptRequest, tmp_path: Path) -> None:
    """The cards of the first checkpoints do not say what they were trained on, since all were trained on phantoms."""
    old = replace(plain.start, provenance={"made_by": "benchmarks/train_shipped.py"})
    *_, made = adapt(replace(plain, start=old, out=tmp_path / "out", rounds=1, steps=1))
    assert isinstance(made, ModelAdapted)
    assert "no scan was among it" in familiarity_notes(load_model(made.path), plain.stacks[0])[0]


def test_the_threshold_marks_as_much_as_the_start_model_did(made: ModelAdapted, plain: AdaptRequest) -> None:
    papyrus = np.zeros((100, 90), bool)
    papyrus[:80] = True
    shares = [
        float((1 / (1 + np.exp(-sample_map(model, plain.stacks[0], papyrus, 9).on_papyrus())) >= threshold).mean())
        for model, threshold in ((plain.start, 0.5), (load_model(made.path), made.threshold))
    ]
    assert 0.15 < shares[0] < 0.25 and made.ink_share == pytest.approx(shares[0], abs=0.001)
    assert shares[1] == pytest.approx(shares[0], abs=0.001)


def test_a_map_without_clear_ink_is_doubted_before_anything_is_learned_and_in_the_record(
    events: list[AdaptEvent], made: ModelAdapted, plain: AdaptRequest, tmp_path: Path
) -> None:
    assert not any(isinstance(event, AdaptationDoubted) for event in events)
    assert "doubts" not in load_model(made.path).provenance["adapted"]
    unsure = replace(plain.start, provenance={"clear_ink": {"probability": 0.99, "share": 0.01}})
    note, doubt, made_first, *_, end = adapt(replace(plain, start=unsure, out=tmp_path / "out", rounds=1, steps=1))
    assert isinstance(note, TeachingNote) and isinstance(end, ModelAdapted)
    assert made_first == PhantomMade(1, 3)  # phantoms take a minute, so that the doubt comes before them
    assert isinstance(doubt, AdaptationDoubted)
    assert doubt.text.startswith("Hardly any ink is clear: 0.0% of the map") and "may get worse" in doubt.text
    (recorded,) = load_model(end.path).provenance["adapted"]["doubts"]
    assert doubt.text.startswith(recorded)


def test_an_adaptation_that_saved_nothing_leaves_its_name_free(plain: AdaptRequest, tmp_path: Path) -> None:
    with closing(adapt(replace(plain, out=tmp_path / "out"))) as events:
        assert isinstance(next(events), TeachingNote) and (tmp_path / "out").is_dir()
    assert not (tmp_path / "out").exists()


def test_an_interrupted_adaptation_is_resumed_to_the_same_weights(
    plain: AdaptRequest, made: ModelAdapted, tmp_path: Path
) -> None:
    request, steps = replace(plain, out=tmp_path / "out"), 0
    with closing(adapt(request)) as events:
        for event in events:
            steps += isinstance(event, StepEnded)
            if steps == 3:  # in the middle of the second round
                break
    *_, again = adapt(replace(request, resume=True))
    assert isinstance(again, ModelAdapted) and np.array_equal(weights(again.path), weights(made.path))


def test_a_finished_adaptation_goes_on_with_more_rounds(
    plain: AdaptRequest, made: ModelAdapted, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(made.path.parent, tmp_path / "out"))
    told = list(adapt(replace(plain, out=out, rounds=3, resume=True)))
    assert [event.number for event in told if isinstance(event, RoundBegun)] == [3]
    assert load_model(out / "adapted.safetensors").provenance["adapted"]["rounds"] == 3


def test_rounds_of_another_start_are_not_continued(made: ModelAdapted, plain: AdaptRequest, start_file: Path) -> None:
    with pytest.raises(OutputError, match="made from another model"):
        list(adapt(replace(plain, resume=True, start=load_model(start_file))))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": 0}, "cannot take 0 rounds; give 1 to 20"),
        ({"steps": 10**6}, "cannot take 1,000,000 steps"),
        ({"stacks": []}, "nothing to adapt to"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    plain: AdaptRequest, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=said):
        list(adapt(replace(plain, out=tmp_path / "out", **changes)))
    assert not (tmp_path / "out").exists()


def test_a_stack_that_cannot_be_marked_is_refused_before_any_phantom_is_made(
    plain: AdaptRequest, tmp_path: Path
) -> None:
    thin = stack_of_array(np.zeros((3, 64, 64), np.uint8), "thin")
    events = adapt(replace(plain, stacks=[thin], out=tmp_path / "out"))
    assert isinstance(next(events), TeachingNote)
    with pytest.raises(ContractError, match="too few depth layers"):
        next(events)
    assert not (tmp_path / "out").exists()


def test_two_stacks_of_one_name_and_a_folder_that_exists_are_refused(plain: AdaptRequest, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="Two stacks are named seg"):
        list(adapt(replace(plain, out=tmp_path / "out", stacks=[*plain.stacks, *plain.stacks])))
    with pytest.raises(OutputError, match="--resume"):
        list(adapt(replace(plain, out=tmp_path)))
    with pytest.raises(OutputError, match="no folder"):
        list(adapt(replace(plain, out=tmp_path / "nowhere" / "out")))


def test_phantoms_of_each_world_are_written_and_blank_and_one_is_held_out() -> None:
    pairs = [*world_pairs(("tubes", "foam"), 0.5)]
    assert len(pairs) == world_pair_count(("tubes", "foam"))
    assert sum(pair.share or 0 for pair in pairs) == pytest.approx(0.5)
    assert [(pair.labels == 2).any() for pair in pairs] == [True, False, True] * 2
    held_out = [pair for pair in pairs if pair.held_out is not None]
    assert len(held_out) == 2 and all(pair.share == 0 for pair in held_out)


def test_the_command_adapts_and_names_the_model(
    segment: Path, start: InkModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "adapted"
    asked = ["adapt", str(segment), "-o", str(out), "--from", str(start.source), "--rounds", "1", "--steps", "1"]
    assert main(asked) == 0
    printed = capfd.readouterr()
    assert printed.out.startswith(f"{out / 'adapted.safetensors'}: marks ") and "No label has judged it" in printed.out
    assert "Round 1 of 1: takes the surest 504 pixels for ink" in printed.err
    assert main(asked) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "exists already" in error
    assert main(["adapt", str(tmp_path / "none"), "-o", str(tmp_path / "b")]) == 2
    assert not (tmp_path / "b").exists()
