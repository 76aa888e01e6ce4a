"""Rows of taught models: kept through damage and crashes, renamed, used, and left for the first model."""

import json

import pytest

from napari_ink.errors import BadInputError, OutputError
from napari_ink.model import load_model
from napari_ink.training import StrokeScores, TaughtModel, TaughtModels
from napari_ink.training.teaching import taught_models
from tests.training.small import CONFIG, CONTRACT


def row(key, is_better=True, made_at="2026-01-01T00:00:00.000+00:00"):
    return TaughtModel(
        key=key,
        name=key,
        kind="quick",
        made_at=made_at,
        started_from="ink-tiny-3",
        started_from_sha256="0" * 64,
        strokes=3,
        ink_px=40,
        papyrus_px=50,
        projects=("a.ink",),
        labels_sha256="1" * 64,
        before=StrokeScores(auc=0.5, f0_5=0.2, threshold=0.5),
        after=StrokeScores(auc=0.9, f0_5=0.8, threshold=0.4),
        judged_on="Judged on 3 groups of strokes, each by a model that had not seen it.",
        is_better=is_better,
    )


@pytest.fixture
def models(tmp_path):
    (tmp_path / "a.ink").mkdir()
    return TaughtModels.of_project(tmp_path / "a.ink")


def add(models, start, *rows):
    for one in rows:
        models.add(one, start.network, CONFIG, CONTRACT, {"made_by": "a test"})


def test_models_are_listed_and_the_last_better_one_is_used(models, start):
    assert (models.rows(), models.current, models.new_key("quick")) == ([], "", "quick-1")
    add(models, start, row("quick-1"), row("deep-1", is_better=False, made_at="2026-01-02T00:00:00.000+00:00"))
    assert [one.key for one in models.rows()] == ["quick-1", "deep-1"]
    assert models.current == "quick-1"
    assert models.row("deep-1") == row("deep-1", is_better=False, made_at="2026-01-02T00:00:00.000+00:00")
    assert (models.new_key("quick"), models.new_key("deep")) == ("quick-2", "deep-2")
    assert load_model(models.path("deep-1")).provenance["taught"]["key"] == "deep-1"
    with pytest.raises(OutputError, match="exists already"):
        add(models, start, row("quick-1"))


def test_a_model_is_used_and_left_again(models, start):
    add(models, start, row("quick-1"), row("quick-2", is_better=False))
    models.use("quick-2")
    assert models.current == "quick-2"
    models.use("")
    assert models.current == ""
    assert len(models.rows()) == 2
    for unknown in ("quick-9", "../a", "current"):
        with pytest.raises(BadInputError, match="quick-1, quick-2"):
            models.use(unknown)
    assert models.current == ""


def test_a_model_is_renamed_and_keeps_its_checks(models, start):
    add(models, start, row("quick-1"))
    models.record_check("quick-1", "moved labels", "AUC 0.50")
    models.rename("quick-1", "Vorlage α (2)")
    found = models.row("quick-1")
    assert found.name == "Vorlage α (2)" and dict(found.checks) == {"moved labels": "AUC 0.50"}
    assert found.in_words.startswith("Vorlage α (2): better than before (AUC 0.50 before, 0.90 now)")
    for bad in ("", " a", "a/b", "a\nb", "a" * 65):
        with pytest.raises(BadInputError, match="cannot name a model"):
            models.rename("quick-1", bad)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"\xff\xfe",
        b'{"key": "quick-1"}',
        b"[" * 100_000,
        row("quick-2").model_dump_json().encode(),
        row("quick-1").model_dump_json().replace("0.9", '"high"').encode(),
    ],
)
def test_damaged_rows_are_left_out_and_the_others_stay(models, start, damage):
    add(models, start, row("quick-1"), row("deep-1"))
    (models.folder / "quick-1.json").write_bytes(damage)
    assert [one.key for one in models.rows()] == ["deep-1"]
    assert models.current == "deep-1"
    assert models.new_key("quick") == "quick-2"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b"[]", b'{"key": 3}', b'{"key": "../secret"}', b'{"key": "gone-1"}', b"[" * 100_000]
)
def test_a_damaged_choice_goes_back_to_the_first_model(models, start, damage):
    add(models, start, row("quick-1"))
    (models.folder / "current.json").write_bytes(damage)
    assert models.current == ""
    models.use("quick-1")
    assert models.current == "quick-1"


def test_rows_of_later_versions_are_read(models, start):
    add(models, start, row("quick-1"))
    path = models.folder / "quick-1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
    assert models.row("quick-1") == row("quick-1")


def test_a_crash_before_the_row_leaves_no_model_and_the_last_one_in_use(models, start, monkeypatch):
    add(models, start, row("quick-1"))
    with monkeypatch.context() as patched:
        patched.setattr(TaughtModels, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            add(models, start, row("quick-2"))
    assert [one.key for one in models.rows()] == ["quick-1"]
    assert models.current == "quick-1"
    assert models.new_key("quick") == "quick-3"
    # A checkpoint that is gone takes its row along.
    models.path("quick-1").unlink()
    assert (models.rows(), models.current) == ([], "")


def test_pictures_are_kept_beside_the_model(models, tmp_path):
    models.folder.mkdir()
    (tmp_path / "curves.png").write_bytes(b"curves")
    taught_models.keep_pictures(tmp_path, models.path("deep-1"))
    assert (models.folder / "deep-1-curves.png").read_bytes() == b"curves"
    assert not (models.folder / "deep-1-examples.png").exists()
