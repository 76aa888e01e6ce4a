"""The training loop: the network learns, and a resumed run gives the same numbers however it was stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ink.errors import BadInputError, DeviceMemoryError, NapariInkError, OutputError, StackError
from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.stack import open_stack
from napari_ink.training import (
    BatchSkipped,
    CheckpointSaved,
    StepEnded,
    TrainingEnded,
    TrainingEvent,
    TrainingPair,
    TrainingStarted,
    TrainRequest,
    Validated,
    train,
)
from napari_ink.training.learner import Learner
from napari_ink.training.validation import Example, HeldOut, judge
from tests.training.small import CONFIG, CONTRACT, PLAIN, QUICK


def request(pair: TrainingPair, out: Path, **changes: object) -> TrainRequest:
    return replace(TrainRequest([pair], out, QUICK, CONFIG, CONTRACT), **changes)  # type: ignore[arg-type]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path).network.state_dict()


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def take(events: object, steps: int) -> list[TrainingEvent]:
    """Consume events up to a step, and close the generator there."""
    taken = []
    for event in events:  # type: ignore[attr-defined]
        taken.append(event)
        if isinstance(event, StepEnded) and event.step == steps:
            break
    events.close()  # type: ignore[attr-defined]
    return taken


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing, which would take most of the time of a short run."""
    if "pictures" not in request.node.name:
        monkeypatch.setattr("napari_ink.training.loop.draw_curves", lambda *given: None)
        monkeypatch.setattr("napari_ink.training.loop.draw_examples", lambda *given: None)


def test_a_trained_network_predicts_the_held_out_part(pair: TrainingPair, tmp_path: Path) -> None:
    held_out = np.zeros(pair.labels.shape, bool)
    held_out[:, 128:] = True
    changes = {"steps": 60, "batch_size": 4, "validate_every": 30, "patience": 0, "crop_size": 96}
    changes |= {"validation_crops": 99, "learning_rate": 0.01}
    settings = PLAIN.model_copy(update=changes)
    events = list(train(request(replace(pair, held_out=held_out), tmp_path / "run", settings=settings)))
    assert isinstance(events[0], TrainingStarted) and isinstance(events[-1], TrainingEnded)
    losses = [event.ink_loss + event.edge_loss for event in events if isinstance(event, StepEnded)]
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    ended = events[-1]
    known = pair.labels[:, 128:]
    share = float((known == 2).sum() / ((known == 1) | (known == 2)).sum())
    all_ink = 1.25 * share / (0.25 * share + 1)  # the F0.5 of predicting ink everywhere, without any training
    assert ended.best.ink_f0_5 > all_ink + 0.2
    model = load_model(ended.path)
    assert model.provenance["pairs"][0]["held_out_px"] == int(((known == 1) | (known == 2)).sum())
    assert model.provenance["validation"]["ink_f0_5"] == round(ended.best.ink_f0_5, 3)
    assert model.provenance["thresholds"]["ink"] == round(ended.best.ink_threshold, 2)
    assert model.contract == CONTRACT and model.config == CONFIG
    assert model.provenance["steps"] == ended.best_step


def test_a_run_writes_its_log_and_pictures(pair: TrainingPair, tmp_path: Path) -> None:
    events = list(train(request(pair, tmp_path / "run")))
    for event in events:
        if isinstance(event, CheckpointSaved):
            assert load_model(event.path).provenance["settings"]["seed"] == 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "best.safetensors",
        "last.safetensors",
        "state.pt",
        "request.json",
        "log.jsonl",
        "curves.png",
        "examples.png",
        "tensorboard",
    }
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "StepEnded"] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if line["event"] == "Validated"] == [3, 6]
    assert any((tmp_path / "run" / "tensorboard").iterdir())


def test_the_same_seed_gives_the_same_result_without_touching_global_random_state(
    pair: TrainingPair, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(train(request(pair, tmp_path / "a")))
    assert torch.equal(torch.rand(3), expected)
    list(train(request(pair, tmp_path / "b")))
    assert_same_weights(tmp_path / "a" / "last.safetensors", tmp_path / "b" / "last.safetensors")
    list(train(request(pair, tmp_path / "c", settings=QUICK.model_copy(update={"seed": 1}))))
    first, other = (weights(tmp_path / run / "last.safetensors")["heads.weight"] for run in "ac")
    assert not torch.equal(first, other)


@pytest.mark.parametrize("stop", [2, 3])  # between two validations, and just before one
def test_a_stopped_and_resumed_run_gives_the_same_numbers(pair: TrainingPair, tmp_path: Path, stop: int) -> None:
    straight = list(train(request(pair, tmp_path / "straight")))
    take(train(request(pair, tmp_path / "run")), stop)
    rest = list(train(request(pair, tmp_path / "run", resume=True)))
    assert isinstance(rest[0], TrainingStarted) and rest[0].first_step == stop
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_weights(tmp_path / "straight" / name, tmp_path / "run" / name)
    looks = [event.scores for event in straight if isinstance(event, Validated)]
    assert [event.scores for event in rest if isinstance(event, Validated)] == looks
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["event"] == "StepEnded"] == [1, 2, 3, 4, 5, 6]


def test_a_killed_and_resumed_run_gives_the_same_numbers(pair: TrainingPair, tmp_path: Path) -> None:
    """A killed run saves nothing more: it resumes from its last validation and repeats later steps."""
    list(train(request(pair, tmp_path / "straight")))
    events = train(request(pair, tmp_path / "run"))
    state = b""
    for event in events:
        if isinstance(event, StepEnded) and event.step == 5:
            state = (tmp_path / "run" / "state.pt").read_bytes()
            break
    events.close()
    (tmp_path / "run" / "state.pt").write_bytes(state)  # as if the run had not saved at its end
    rest = list(train(request(pair, tmp_path / "run", resume=True)))
    assert isinstance(rest[0], TrainingStarted) and rest[0].first_step == 3
    assert_same_weights(tmp_path / "straight" / "last.safetensors", tmp_path / "run" / "last.safetensors")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["event"] == "StepEnded"] == [1, 2, 3, 4, 5, 6]


def test_resume_without_a_run_starts_one(pair: TrainingPair, tmp_path: Path) -> None:
    events = list(train(request(pair, tmp_path / "run", resume=True)))
    assert isinstance(events[0], TrainingStarted) and events[0].first_step == 0


def test_a_run_with_other_settings_is_not_resumed(pair: TrainingPair, tmp_path: Path) -> None:
    take(train(request(pair, tmp_path / "run")), 1)
    with pytest.raises(OutputError, match="exists already"):
        next(train(request(pair, tmp_path / "run")))
    other = QUICK.model_copy(update={"learning_rate": 0.01})
    with pytest.raises(OutputError, match=r"settings.learning_rate was 0.02 and is now 0.01"):
        next(train(request(pair, tmp_path / "run", settings=other, resume=True)))
    labels = pair.labels.copy()
    labels[0, 0] = 3 - labels[0, 0]
    with pytest.raises(OutputError, match="pairs was"):
        next(train(request(replace(pair, labels=labels), tmp_path / "run", resume=True)))
    (tmp_path / "run" / "state.pt").write_bytes(b"no state")
    with pytest.raises(OutputError, match="damaged"):
        next(train(request(pair, tmp_path / "run", resume=True)))
    (tmp_path / "other").mkdir()
    with pytest.raises(OutputError, match="not a training run"):
        next(train(request(pair, tmp_path / "other", resume=True)))


def test_training_stops_early_and_keeps_the_best_weights(pair: TrainingPair, tmp_path: Path) -> None:
    """With a rate that ruins the network, scores cannot rise for long."""
    settings = QUICK.model_copy(update={"steps": 60, "validate_every": 2, "patience": 2, "learning_rate": 1e-7})
    events = list(train(request(pair, tmp_path / "run", settings=settings)))
    looks = [event for event in events if isinstance(event, Validated)]
    ended = events[-1]
    assert isinstance(ended, TrainingEnded)
    assert ended.why == "no better score" and ended.step < 60
    assert [look.is_best for look in looks[-2:]] == [False, False]
    best = max(looks, key=lambda look: look.scores.overall)
    assert ended.best == best.scores and ended.best_step == best.step
    assert load_model(ended.path).provenance["steps"] == best.step


def test_training_further_starts_from_the_given_weights(pair: TrainingPair, tmp_path: Path) -> None:
    list(train(request(pair, tmp_path / "first")))
    start = load_model(tmp_path / "first" / "best.safetensors")
    still = QUICK.model_copy(update={"learning_rate": 1e-12, "steps": 1, "weight_decay": 0})
    further = TrainRequest([pair], tmp_path / "further", still, start=start)
    list(train(further))
    model = load_model(tmp_path / "further" / "last.safetensors")
    for name, weight in start.network.named_parameters():
        torch.testing.assert_close(model.network.get_parameter(name), weight, rtol=0, atol=1e-9)
    assert model.contract == start.contract
    assert model.provenance["started_from"]["sha256"] == start.sha256
    # The pair does not state that it is a phantom, so it counts as a scan, in each of both trainings.
    assert model.provenance["trained_on"] == {"scans": 2, "phantoms": 0, "figures": {}, "places": []}
    with pytest.raises(BadInputError, match="contract of its own"):
        next(train(replace(further, contract=CONTRACT.changed(mean=0.1), out=tmp_path / "x")))
    with pytest.raises(BadInputError, match="size of its own"):
        next(train(replace(further, config=CONFIG.tiny(), out=tmp_path / "x")))


def test_stacks_that_fill_little_of_their_range_are_reported(pair: TrainingPair, tmp_path: Path) -> None:
    values = np.asarray(pair.stack)
    np.save(tmp_path / "dark.npy", (values >> 8 if values.dtype == np.uint16 else values).astype(np.uint16))
    dark = replace(pair, stack=open_stack(tmp_path / "dark.npy"))
    for number, (one, contract) in enumerate([(pair, CONTRACT), (dark, CONTRACT), (dark, None)]):
        events = train(request(one, tmp_path / str(number), contract=contract))
        notes = " ".join(next(events).notes)
        events.close()
        assert ("dark: The stack's grey values" in notes) == (one is dark) == ("save it over the whole range" in notes)


def test_training_further_never_lowers_the_score(pair: TrainingPair, tmp_path: Path) -> None:
    list(train(request(pair, tmp_path / "first")))
    start = load_model(tmp_path / "first" / "best.safetensors")
    ruinous = QUICK.model_copy(update={"learning_rate": 1.0, "average_decay": 0.0})
    events = list(train(TrainRequest([pair], tmp_path / "further", ruinous, start=start)))
    looks = [event for event in events if isinstance(event, Validated)]
    assert [look.step for look in looks] == [0, 3, 6] and looks[0].is_best
    best = max(looks, key=lambda look: look.scores.overall)
    assert load_model(tmp_path / "further" / "best.safetensors").provenance["steps"] == best.step
    slow = QUICK.model_copy(update={"learning_rate": 0.01, "average_decay": 0.99999, "weight_decay": 0})
    list(train(TrainRequest([pair], tmp_path / "slow", slow, start=start)))
    now = load_model(tmp_path / "slow" / "last.safetensors").network
    for name, weight in start.network.named_parameters():
        torch.testing.assert_close(now.get_parameter(name), weight, rtol=0, atol=1e-5)


def test_a_diverging_training_is_stopped(pair: TrainingPair, tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"validate_every": 10, "steps": 20, "learning_rate": 1e30})
    events = []
    with pytest.raises(NapariInkError, match="The last 5 batches up to step 6 gave no finite loss") as stopped:
        for event in train(request(pair, tmp_path / "run", settings=settings)):
            events.append(event)
    assert not isinstance(stopped.value, BadInputError)
    skipped = [event for event in events if isinstance(event, BatchSkipped)]
    assert [event.step for event in skipped] == [2, 3, 4, 5, 6]
    assert skipped[0].learning_rate > skipped[2].learning_rate > skipped[4].learning_rate > 0
    for words in ("stack at y ", "(values -", "In the network: ", "received "):
        assert words in skipped[0].report
    assert (tmp_path / "run" / "log.jsonl").read_text().count("BatchSkipped") == 5


@pytest.mark.parametrize("damaged_from", [1, 4])
def test_a_new_run_that_ends_at_a_damaged_layer_keeps_only_its_checkpoint(
    pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged_from: int
) -> None:
    fine, calls = Learner.step, iter(range(1, 100))

    def step(self: Learner, *given: object) -> object:
        if next(calls) >= damaged_from:
            raise StackError("4.tif cannot be read; restore the file.")
        return fine(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "step", step)
    with pytest.raises(StackError, match=r"4\.tif"):
        list(train(request(pair, tmp_path / "run")))
    assert (tmp_path / "run").exists() == (damaged_from > 3)  # the first checkpoint is saved after step 3


def test_damaged_weights_are_refused(pair: TrainingPair, tmp_path: Path) -> None:
    network = InkEdgeNetwork(CONFIG)
    with torch.no_grad():
        network.decoder.fuse[0].weight.fill_(float("inf"))
    path = save_checkpoint(tmp_path / "start.safetensors", network, CONFIG, CONTRACT, {})
    with pytest.raises(BadInputError, match="start holds weights that are not finite"):
        next(train(TrainRequest([pair], tmp_path / "run", QUICK, start=load_model(path))))


def test_one_bad_batch_is_skipped_and_changes_no_weight(
    pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_ink.training import batching

    fine = batching.Augmenter.__call__
    third = [batching.step_seed(QUICK.seed, number) for number in (4, 5)]  # the crops of the third step

    def spoil(self: object, values: torch.Tensor, labels: torch.Tensor, seed: int) -> object:
        values, labels = fine(self, values, labels, seed)  # type: ignore[arg-type]
        return (values * float("nan") if seed in third else values), labels

    monkeypatch.setattr(batching.Augmenter, "__call__", spoil)
    events = list(train(request(pair, tmp_path / "run")))
    skipped = [event for event in events if isinstance(event, BatchSkipped)]
    assert [event.step for event in skipped] == [3]
    assert "none finite" in skipped[0].report
    assert [event.step for event in events if isinstance(event, StepEnded)] == [1, 2, 4, 5, 6]
    # The batch would also have turned the running means into NaN, had they not been restored.
    assert all(weight.isfinite().all() for weight in weights(tmp_path / "run" / "last.safetensors").values())


def test_out_of_memory_is_reported_in_one_sentence(
    pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Napari's workers would take torch's own error for a warning."""

    def full(self: object, *given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr("napari_ink.training.learner.Learner.step", full)
    with pytest.raises(DeviceMemoryError, match="cannot hold a batch of 2 crops of 64 pixels"):
        list(train(request(pair, tmp_path / "run")))


def test_a_crop_that_does_not_fit_the_network_is_refused(pair: TrainingPair, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="multiple of 32, say 64"):
        next(train(request(pair, tmp_path / "run", settings=QUICK.model_copy(update={"crop_size": 70}))))
    assert not (tmp_path / "run").exists()


def test_missing_packages_are_named(pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_ink.training import request as module

    monkeypatch.setattr(module, "_LIBRARIES", ("torch", "a_library_that_is_not_there"))
    with pytest.raises(BadInputError, match=r"needs a_library_that_is_not_there.*napari-ink\[train\]"):
        next(train(request(pair, tmp_path / "run")))


def test_every_held_out_pixel_is_scored_once(pair: TrainingPair) -> None:
    held_out = np.zeros(pair.labels.shape, bool)
    held_out[20:, 30:] = True
    held_out[:, ::7] = False
    pair = replace(pair, held_out=held_out)
    judged = np.zeros(pair.labels.shape, int)
    for crop in HeldOut([pair], CONTRACT, 64, 99).crops():
        _, y, x = crop.place
        height, width = (min(64, n - at) for n, at in zip(judged.shape, (y, x), strict=True))
        labels = crop.labels[:height, :width]
        judged[y : y + height, x : x + width] += labels > 0
        seen = labels > 0
        np.testing.assert_array_equal(labels[seen], pair.labels[y : y + height, x : x + width][seen])
        window = CONTRACT.z_window(pair.stack.shape[0])
        block = pair.stack.read(window, slice(y, y + height), slice(x, x + width))
        np.testing.assert_array_equal(crop.values[:, :height, :width], CONTRACT.prepare(block))
    np.testing.assert_array_equal(judged, held_out & (pair.labels > 0))


def test_validating_on_trained_labels_leaves_them_as_they_are(pair: TrainingPair) -> None:
    """Crops at the end of a segment overlap others, and each pixel counts in one: the labels must not be changed."""
    pair = replace(pair, judges_trained=True)
    before = pair.labels.copy()
    held_out = HeldOut([pair], CONTRACT, 64, 99)
    counts = [sum(int((crop.labels > 0).sum()) for crop in held_out.crops()) for _ in range(2)]
    np.testing.assert_array_equal(pair.labels, before)
    assert counts == [int((before > 0).sum())] * 2


def test_scores_are_those_of_the_whole_held_out_part(pair: TrainingPair) -> None:
    """A network that knows the truth scores 1; a network that guesses at random, about the share of ink."""
    held_out = np.ones(pair.labels.shape, bool)
    crops = list(HeldOut([replace(pair, held_out=held_out)], CONTRACT, 64, 99).crops())
    right = [Example(c, (c.labels == 2).astype(np.float32), (c.edge == 1).astype(np.float32)) for c in crops]
    scores = judge(right)
    assert scores.ink_f0_5 == 1 and scores.ink_average_precision == 1 and scores.edge_ods > 0.99
    rng = np.random.default_rng(0)
    noise = [Example(c, *rng.random((2, 64, 64), dtype=np.float32)) for c in crops]
    share = (pair.labels == 2).sum() / ((pair.labels == 1) | (pair.labels == 2)).sum()
    assert judge(noise).ink_average_precision == pytest.approx(share, abs=0.03)
