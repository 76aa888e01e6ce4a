"""Teaching a tiny model on a small phantom: a quick model, then a deep one, each judged before it is put in use."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from napari_ink.annotation import open_project
from napari_ink.errors import BadInputError, LabelError, ProjectError
from napari_ink.model import load_model
from napari_ink.model.taught_network import TaughtNetwork
from napari_ink.stack import stack_of_array
from napari_ink.training import (
    FeaturesRead,
    ModelTaught,
    StepEnded,
    TaughtModels,
    TeachingNote,
    TeachRequest,
    teach,
)
from napari_ink.training import loop as training_loop
from napari_ink.training.teaching import stroke_head
from napari_ink.training.teaching import teach as teaching
from napari_ink.training.teaching.judging import NOT_HELD_OUT, choose_folds, fold_of, scores_by_fold
from napari_ink.training.teaching.learned_cells import new_units, save_learned_cells
from napari_ink.training.teaching.lesson import Lesson
from tests.training.small import CONTRACT


@pytest.fixture
def plots():
    """Draw the plots of a training, which takes longer than so short a training itself."""


@pytest.fixture(autouse=True)
def _few_trees_and_no_plots(monkeypatch, request):
    monkeypatch.setattr(stroke_head, "fit_forest", partial(stroke_head.fit_forest, trees=25))
    if "plots" not in request.fixturenames:
        for draw in ("draw_curves", "draw_examples"):
            monkeypatch.setattr(training_loop, draw, lambda *given: given[-1].touch())


@pytest.fixture(autouse=True)
def _few_small_steps(monkeypatch):
    settings = teaching._settings
    small = {"batch_size": 2, "crop_size": 64, "precision": "fp32", "learning_rate": 0.02, "validation_crops": 4}
    monkeypatch.setattr(teaching, "STEPS_PER_MINUTE", 1)
    monkeypatch.setattr(teaching, "_REPLAY_PHANTOMS", 1)
    monkeypatch.setattr(teaching, "_settings", lambda *given: settings(*given).model_copy(update=small))


def made_by(events):
    return [event for event in events if isinstance(event, ModelTaught)]


def test_a_quick_model_comes_first_and_then_a_deep_one(new_project, start, plots):
    folder = new_project()
    before = teaching.labels_digest([teaching.read_corrections(folder)])
    events = list(teach(TeachRequest((folder,), start, minutes=10)))
    quick, deep = made_by(events)
    models = TaughtModels.of_project(folder)
    assert [row.key for row in models.rows()] == ["quick-1", "deep-1"]
    assert [event.done for event in events if isinstance(event, FeaturesRead)] == [1]
    assert [event.step for event in events if isinstance(event, StepEnded)] == list(range(1, 11))
    for made, kind in ((quick, "quick"), (deep, "deep")):
        row = models.row(made.row.key)
        assert row == made.row and row.kind == kind and row.labels_sha256 == before
        assert row.started_from_sha256 == start.sha256 and row.projects == ("scroll.ink",)
        assert row.judged_on != NOT_HELD_OUT
        assert row.is_better == (row.after.auc > row.before.auc and row.after.f0_5 >= row.before.f0_5)
        loaded = load_model(made.path)
        assert loaded.provenance["taught"] == row.model_dump(mode="json")
        assert loaded.provenance["started_from"]["sha256"] == start.sha256
        assert loaded.network(torch.zeros(1, 12, 64, 64)).shape == (1, 2, 64, 64)
    assert isinstance(load_model(quick.path).network, TaughtNetwork)
    assert not isinstance(load_model(deep.path).network, TaughtNetwork)
    # The phantom's ink is bright, and the start model has never learned anything.
    assert quick.row.is_better and quick.row.after.auc > 0.7 > quick.row.before.auc
    assert models.current == ("deep-1" if deep.row.is_better else "quick-1")
    assert (models.folder / "deep-1-curves.png").is_file()
    assert not any((folder / "teaching").iterdir())
    assert teaching.labels_digest([teaching.read_corrections(folder)]) == before


def weights_of(made):
    return load_model(made.path).network.state_dict()


def test_an_interrupted_lesson_ends_with_the_same_weights(new_project, start):
    whole = made_by(teach(TeachRequest((new_project("a.ink"),), start, minutes=10)))
    request = TeachRequest((new_project("b.ink"),), start, minutes=10)
    with closing(teach(request)) as events:
        for event in events:
            if isinstance(event, StepEnded) and event.step == 4:
                break
    assert [row.kind for row in TaughtModels.of_project(request.projects[0]).rows()] == ["quick"]
    events = list(teach(request))
    assert [event.step for event in events if isinstance(event, StepEnded)] == [5, 6, 7, 8, 9, 10]
    for one, other in zip(whole, made_by(events), strict=True):
        expected, found = weights_of(one), weights_of(other)
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            assert torch.equal(tensor, found[name]), name
        assert one.row.after == other.row.after


@pytest.mark.parametrize("change", ["setting", "state"])
def test_a_lesson_that_another_version_began_begins_again(new_project, start, change):
    request = TeachRequest((new_project(),), start, minutes=10)
    with closing(teach(request)) as events:
        for event in events:
            if isinstance(event, StepEnded) and event.step == 4:
                break
    (run,) = (request.projects[0] / "teaching").iterdir()
    if change == "setting":
        stated = json.loads((run / "request.json").read_text())
        stated["settings"]["learning_rate"] = 0.5
        (run / "request.json").write_text(json.dumps(stated))
    else:
        (run / "state.pt").write_bytes(b"damaged")
    events = list(teach(request))
    assert [event.step for event in events if isinstance(event, StepEnded)] == list(range(1, 11))
    assert any("so it begins again" in event.text for event in events if isinstance(event, TeachingNote))
    assert [made.row.kind for made in made_by(events)] == ["quick", "deep"]


def test_a_repeated_lesson_adds_no_row_and_uses_its_model_again(new_project, start, strokes):
    folder = new_project()
    models = TaughtModels.of_project(folder)
    (first,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    models.rename("quick-1", "mine")
    models.use("")
    (again,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    assert again.path == first.path and again.row.name == "mine"
    assert models.current == "quick-1" and len(models.rows()) == 1
    project = open_project(folder)
    project.annotation.apply([("ink", 100, 0, np.full((8, 8), 1, np.uint8))], "brush")
    project.close()
    (other,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    assert other.row.key == "quick-2"


def test_a_model_that_is_not_better_is_never_put_in_use(new_project, start, monkeypatch):
    folder = new_project()

    def wrong(lesson, *_):
        return (~lesson.samples.is_ink).astype(np.float32)

    monkeypatch.setattr(Lesson, "cross_validate", wrong)
    monkeypatch.setattr(Lesson, "values_of", lambda lesson, _, chosen: wrong(lesson)[chosen])
    quick, deep = made_by(teach(TeachRequest((folder,), start, minutes=10)))
    models = TaughtModels.of_project(folder)
    assert not quick.row.is_better and not deep.row.is_better
    assert models.current == ""
    assert len(models.rows()) == 2
    assert "kept as a candidate" in quick.row.in_words


def test_a_deep_model_is_compared_with_the_quick_one_in_use(new_project, start):
    quick, deep = made_by(teach(TeachRequest((new_project(),), start, minutes=10)))
    assert quick.row.is_better
    # Both scores are of the strokes that were held out of the deep training, and the quick model was the one in use.
    assert deep.row.before.auc != quick.row.before.auc
    assert deep.row.before.auc > 0.5


def halves(strokes):
    """Return the strokes in the left half, and the others."""
    left = strokes.copy()
    left[:, strokes.shape[1] // 2 :] = 0
    return left, strokes - left


def test_a_newer_model_is_compared_with_the_one_in_use_on_strokes_painted_since(new_project, start, strokes):
    left, right = halves(strokes)
    folder = new_project(labels=left)
    (first,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    models = TaughtModels.of_project(folder)
    models.use("quick-1")  # whatever it is worth
    project = open_project(folder)
    project.annotation.apply([("ink", 0, 0, strokes)], "brush")
    project.close()
    (second,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    assert second.row.judged_on.startswith("Compared with quick-1, which was in use, on ")
    # The score before is that of quick-1 on what it has not seen, not the start's.
    lesson = Lesson(replace(start), [teaching.read_corrections(folder)])
    for _ in lesson.read():
        pass
    is_new = new_units(models.cells_path("quick-1"), lesson.corrections)
    fold = fold_of(lesson.unit, choose_folds([unit for unit in lesson.units if is_new[unit.number]])[0])
    values = np.zeros(len(fold), np.float32)
    values[fold >= 0] = lesson.values_of(load_model(first.path), fold >= 0)
    assert second.row.before == scores_by_fold(values, lesson.samples.is_ink, fold)


def test_without_new_strokes_a_model_is_compared_with_the_start(new_project, start):
    folder = new_project()
    made_by(teach(TeachRequest((folder,), start, minutes=0)))
    TaughtModels.of_project(folder).use("quick-1")
    (second,) = made_by(teach(TeachRequest((folder,), start, minutes=0, seed=1)))
    assert second.row.judged_on.startswith("Judged on 11 groups")


def test_units_are_new_where_most_of_them_was_not_labelled_before(tmp_path, new_project, strokes):
    left, right = halves(strokes)
    before = [teaching.read_corrections(new_project("a.ink", left))]
    after = [teaching.read_corrections(new_project("b.ink", strokes))]
    save_learned_cells(tmp_path / "cells.json", before)
    middle = strokes.shape[1] // 2
    expected = [unit.region.x0 >= middle for unit in after[0].units.units]
    assert new_units(tmp_path / "cells.json", after).tolist() == expected
    assert not new_units(tmp_path / "cells.json", before).any()
    stated = json.loads((tmp_path / "cells.json").read_text())
    (tmp_path / "cells.json").write_text(json.dumps(dict.fromkeys(stated, "eJw=")))
    with pytest.raises(ProjectError, match="cells.json cannot be read"):
        new_units(tmp_path / "cells.json", after)
    with pytest.raises(ProjectError):
        new_units(tmp_path / "none.json", after)


def test_zero_minutes_make_the_quick_model_only(new_project, start):
    events = list(teach(TeachRequest((new_project(),), start, minutes=0)))
    assert [made.row.kind for made in made_by(events)] == ["quick"]
    notes = [event.text for event in events if isinstance(event, TeachingNote)]
    assert notes[0].startswith("Learns from ")


def test_few_strokes_are_judged_by_what_they_taught_and_it_is_said(new_project, start, strokes):
    few = np.zeros_like(strokes)
    few[20:40, 20:40], few[90:110, 90:110] = 2, 1
    for made in made_by(teach(TeachRequest((new_project(labels=few),), start, minutes=10))):
        assert made.row.judged_on == NOT_HELD_OUT
        assert made.row.strokes == 2


@pytest.mark.parametrize("seed", range(4))
def test_deep_models_are_judged_on_strokes_thick_enough_for_samples(new_project, start, strokes, seed):
    # Each of the two thick groups of strokes fills a fold; dots of single pixels fill two more, and give no samples.
    labels = np.zeros_like(strokes)
    for y in (10, 100):
        labels[y : y + 20, 10:30], labels[y : y + 20, 40:60] = 2, 1
    labels[10:150:45, 100:190:45], labels[10:150:45, 102:190:45] = 2, 1
    request = TeachRequest((new_project(labels=labels),), start, minutes=10, seed=seed)
    lesson = Lesson(start, [teaching.read_corrections(request.projects[0])])
    list(lesson.read())
    held_out = teaching._Teacher(request, lesson)._held_out()
    judged = lesson.samples.is_ink[np.isin(lesson.unit, held_out)]
    assert judged.any() and not judged.all()


def test_lines_too_thin_to_learn_from_are_refused(new_project, start, strokes):
    thin = np.zeros_like(strokes)
    thin[20, 20:60], thin[90, 20:60] = 2, 1
    with pytest.raises(LabelError, match="too thin to learn from"):
        list(teach(TeachRequest((new_project(labels=thin),), start)))


def test_strokes_of_several_projects_count_and_empty_ones_do_not_matter(new_project, start, strokes):
    ink, papyrus = np.where(strokes == 2, strokes, 0), np.where(strokes == 1, strokes, 0)
    folders = new_project("a.ink", ink), new_project("b.ink", papyrus), new_project("c.ink", 0 * strokes)
    quick, deep = made_by(teach(TeachRequest(folders, start, minutes=10)))
    assert quick.row.projects == ("a.ink", "b.ink", "c.ink")
    assert (quick.row.ink_px, quick.row.papyrus_px) == ((strokes == 2).sum(), (strokes == 1).sum())
    assert deep.path.parent == folders[0] / "models"
    assert not (folders[1] / "models").exists()


def test_a_lesson_killed_before_its_training_began_is_taught_again(new_project, start):
    request = TeachRequest((new_project(),), start, minutes=10)
    with closing(teach(request)) as events:
        for event in events:
            if isinstance(event, StepEnded):
                break
    (run,) = (request.projects[0] / "teaching").iterdir()
    # As a power failure leaves it between the folder and its first file.
    shutil.rmtree(run)
    run.mkdir()
    assert [made.row.key for made in made_by(teach(request))] == ["quick-1", "deep-1"]


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf")])
def test_impossible_times_are_refused(new_project, start, minutes):
    with pytest.raises(BadInputError, match="minutes"):
        next(teach(TeachRequest((new_project(),), start, minutes)))


def test_teaching_while_the_project_is_open_loses_nothing(new_project, start, strokes):
    folder = new_project()
    project = open_project(folder)
    made_by(teach(TeachRequest((folder,), start, minutes=0)))
    project.annotation.apply([("ink", 0, 0, np.full((4, 4), 2, np.uint8))], "brush")
    project.close()
    found = teaching.read_corrections(folder).labels
    assert (found[:4, :4] == 2).all()
    np.testing.assert_array_equal(found[4:], strokes[4:])


def test_a_taught_model_can_be_the_start_of_the_next_one(new_project, start):
    folder = new_project()
    (quick,) = made_by(teach(TeachRequest((folder,), start, minutes=0)))
    (again,) = made_by(teach(TeachRequest((folder,), load_model(quick.path), minutes=0)))
    assert again.row.started_from == str(quick.path)
    # Features are those of the network under the first forest.
    for name, tensor in weights_of(quick).items():
        assert torch.equal(tensor, weights_of(again)[name])


@pytest.mark.parametrize("clip", [(0.0, 1.0), (0.0, 0.3)])
def test_a_stack_of_other_greys_is_scaled_to_what_the_start_model_knows(start, clip):
    greys = np.clip(np.random.default_rng(0).normal(0.8 * 255, 6, (12, 64, 64)), 1, 255).astype(np.uint8)
    stack, model = stack_of_array(greys, "bright"), replace(start, contract=CONTRACT.changed(clip=clip))
    changed, note = teaching.adapted(model, stack)
    values = changed.contract.prepare(greys)
    assert "scaled to fit" in note
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05
    usual = np.random.default_rng(0).normal(CONTRACT.mean * 255, CONTRACT.std * 255, (12, 64, 64))
    unchanged = teaching.adapted(start, stack_of_array(np.clip(usual, 1, 255).astype(np.uint8), "usual"))
    assert unchanged == (start, "")
