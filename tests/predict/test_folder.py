"""Lists of predictions: what a row says, names, the trash, and damage, which costs one row only."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_ink.errors import BadInputError, OutputError, StackError
from napari_ink.predict import PredictionFolder, open_prediction, regions_path
from napari_ink.predict.storage import folder as folder_module
from napari_ink.predict.storage.provenance import describe_stack
from napari_ink.predict.storage.stored import read_record, record_path
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.predict.stored_predictions import SHAPE, copy_of, files_of, noise, write_prediction

NOW = datetime(2026, 11, 23, 4, 5, 6)


@pytest.fixture
def folder(tmp_path: Path) -> PredictionFolder:
    return PredictionFolder(tmp_path / "seg.ink")


def add(folder: PredictionFolder, name: str = "p", channels: int = 2, **settings: Any) -> Path:
    return write_prediction(folder.path / f"{name}.zarr", noise(len(name), channels), **settings)


def names(folder: PredictionFolder) -> list[str]:
    return [row.path.stem for row in folder.read().rows]


def test_a_segment_without_predictions_has_an_empty_list(folder: PredictionFolder) -> None:
    found = folder.read()
    assert (found.rows, found.faults, found.trash, found.trash_nbytes) == ((), (), (), 0)
    assert not folder.path.exists()


def test_a_row_says_what_was_predicted_and_how_far(folder: PredictionFolder) -> None:
    add(folder, blocks=2, region=Region(0, 300, 0, 500), started="2026-11-23T04:05:06+00:00")
    (row,) = folder.read().rows
    assert (row.name, row.model, row.model_sha256) == ("stand-in", "stand-in", "0" * 64)
    assert row.started == datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
    assert (row.area, row.share, row.is_complete) == ("300 × 500 px", "50 %", False)
    assert row.done == 0.5 and row.mean_disagreement is None
    assert row.as_json()["region"] == [0, 300, 0, 500]
    assert row.as_json()["contract"]["direction"] == "as stored"


def test_a_prediction_of_another_stack_is_told_and_not_listed(folder: PredictionFolder, tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 50000, (9, *SHAPE), dtype=np.uint16)
    np.save(tmp_path / "seg.npy", values)
    np.save(tmp_path / "twin.npy", values[::-1])
    stack, twin = open_stack(tmp_path / "seg.npy"), open_stack(tmp_path / "twin.npy")
    store = add(folder, "own", stack=describe_stack(stack))
    old = add(folder, "old")  # without a fingerprint
    assert {row.path for row in folder.read(stack).rows} == {store, old}
    found = folder.read(twin)
    assert [row.path for row in found.rows] == [old]
    assert found.faults == (f"“stand-in” is not listed: it was predicted from another stack, {stack.source}.",)
    assert {row.path for row in folder.read().rows} == {store, old}


def test_a_damaged_layer_does_not_hide_what_was_predicted(folder: PredictionFolder, tmp_path: Path) -> None:
    layers = tmp_path / "seg" / "layers"
    layers.mkdir(parents=True)
    values = np.random.default_rng(1).integers(0, 50000, (9, *SHAPE), dtype=np.uint16)
    for z, layer in enumerate(values):
        tifffile.imwrite(layers / f"{z:02d}.tif", layer, compression="zlib")
    store = add(folder, "own", stack=describe_stack(open_stack(tmp_path / "seg")))
    content = bytearray((layers / "00.tif").read_bytes())
    content[2000:4000] = bytes(2000)
    (layers / "00.tif").write_bytes(content)
    stack = open_stack(tmp_path / "seg")
    with pytest.raises(StackError):
        stack.fingerprint()
    found = folder.read(stack)
    assert [row.path for row in found.rows] == [store]
    assert found.faults == ()


def test_the_share_is_100_only_when_all_is_final(folder: PredictionFolder) -> None:
    planes = np.ones((2, 256, 256 * 250), np.uint8)
    write_prediction(folder.path / "a.zarr", planes, blocks=249)
    assert folder.read().rows[0].share == "99 %"


def test_rows_are_newest_first_also_across_time_zones(folder: PredictionFolder) -> None:
    add(folder, "a", started="2026-11-23T04:00:00+00:00")
    add(folder, "b", started="2026-11-23T05:30:00+02:00")  # half past three in UTC
    add(folder, "c", started="2026-11-23T05:00:00+00:00")
    assert names(folder) == ["c", "a", "b"]


def test_the_mean_disagreement_is_measured_once_and_again_after_more_blocks(
    folder: PredictionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = noise(1, 3)
    planes[2, :, :256] = 51
    planes[2, :, 256:] = 153
    store = write_prediction(folder.path / "p.zarr", planes, blocks=1)
    (row,) = folder.read().rows
    assert row.mean_disagreement is None
    assert folder.measured(row).mean_disagreement == 0.2
    monkeypatch.setattr(folder_module, "mean_disagreement", lambda _: pytest.fail("measured again"))
    (row,) = folder.read().rows
    assert folder.measured(row).mean_disagreement == 0.2
    monkeypatch.undo()
    whole = Region.whole(SHAPE)
    with PredictionWriter(store, whole, {"started": "2026-11-24T04:05:06+00:00"}) as writer:
        for block in writer.pending:
            area = Region.grid_square(block, 256).within(whole)
            writer.store({block: planes[:, *area.slices]})
    (row,) = folder.read().rows
    assert row.mean_disagreement is None
    expected = planes[2].mean() / 255
    assert folder.measured(row).mean_disagreement == pytest.approx(expected, abs=1e-4)


def test_blocks_without_papyrus_do_not_count_as_agreement(folder: PredictionFolder) -> None:
    planes = noise(1, 3)
    planes[:, :, 256:] = 0
    planes[2, :, :256] = 51
    write_prediction(folder.path / "p.zarr", planes)
    (row,) = folder.read().rows
    assert folder.measured(row).mean_disagreement == 0.2


def test_a_renamed_prediction_keeps_its_store_and_its_measurement(folder: PredictionFolder) -> None:
    store = add(folder, channels=3)
    before = files_of(store)
    measured = folder.measured(folder.read().rows[0]).mean_disagreement
    folder.rename(store, "the good one, α = ½")
    (row,) = folder.read().rows
    assert (row.name, row.model, row.path) == ("the good one, α = ½", "stand-in", store)
    assert row.mean_disagreement == measured and files_of(store) == before


@pytest.mark.parametrize("name", ["", " ", "a\nb", " a", "a" * 81, "a\0b"])
def test_a_name_is_refused_that_does_not_fit_a_line(folder: PredictionFolder, name: str) -> None:
    store = add(folder)
    with pytest.raises(BadInputError, match="cannot name a prediction"):
        folder.rename(store, name)
    assert folder.read().rows[0].name == "stand-in"


def test_a_deleted_prediction_is_in_the_trash_and_comes_back_whole(folder: PredictionFolder) -> None:
    store, other = add(folder, "p", channels=3), add(folder, "other")
    folder.rename(store, "mine")
    regions_path(store).write_bytes(b"mask")
    before = files_of(store)
    trashed = folder.discard(store)
    found = folder.read()
    assert [row.path for row in found.rows] == [other]
    assert [(one.path, one.name) for one in found.trash] == [(trashed, "mine")]
    assert found.trash_nbytes == sum(map(len, before.values()))
    assert abs(found.trash[0].deleted - datetime.now(UTC)) < timedelta(minutes=1)
    assert folder.restore(trashed) == store
    found = folder.read()
    assert files_of(store) == before and found.trash == ()
    assert {row.path: row.name for row in found.rows} == {store: "mine", other: "stand-in"}
    assert regions_path(store).read_bytes() == b"mask"


def test_the_trash_is_emptied_with_names_and_regions_and_leaves_the_others(folder: PredictionFolder) -> None:
    store, other = add(folder, "p"), add(folder, "other")
    for one in (store, other):
        folder.rename(one, "named")
        regions_path(one).write_bytes(b"mask")
    folder.discard(store)
    (folder.path / "trash" / "mine.txt").write_text("not ours")
    folder.empty_trash()
    assert sorted(
        path.name for path in folder.path.rglob("*") if path.parent.name != "other.zarr" and other not in path.parents
    ) == ["mine.txt", "other-region.tif", "other.json", "other.zarr", "trash"]
    assert folder.read().trash == ()


def test_a_prediction_is_not_deleted_while_it_is_written(folder: PredictionFolder) -> None:
    store = add(folder, blocks=1)
    with PredictionWriter(store, Region.whole(SHAPE), {}), pytest.raises(OutputError, match="A run is writing"):
        folder.discard(store)
    assert names(folder) == ["p"]
    folder.discard(store)
    assert names(folder) == []


def test_a_restored_prediction_does_not_replace_one_of_its_name(folder: PredictionFolder) -> None:
    store = add(folder)
    trashed = folder.discard(store)
    write_prediction(store, noise(7))
    before = files_of(store)
    with pytest.raises(OutputError, match="stays in the trash"):
        folder.restore(trashed)
    assert files_of(store) == before and [one.path for one in folder.read().trash] == [trashed]


def test_what_is_gone_is_reported(folder: PredictionFolder) -> None:
    store = add(folder)
    trashed = folder.discard(store)
    for action in (folder.discard, lambda path: folder.rename(path, "x")):
        with pytest.raises(BadInputError, match="moved or deleted meanwhile"):
            action(store)
    folder.empty_trash()
    with pytest.raises(BadInputError, match="not in the trash"):
        folder.restore(trashed)


def test_nothing_outside_of_the_folder_is_deleted(folder: PredictionFolder, tmp_path: Path) -> None:
    add(folder)
    outside = write_prediction(tmp_path / "outside.zarr", noise(1))
    with pytest.raises(BadInputError, match="no prediction at"):
        folder.discard(outside)
    with pytest.raises(BadInputError, match="not in the trash"):
        folder.restore(tmp_path / "20261128T165342123456-x.zarr")
    assert outside.exists()


def test_a_new_run_takes_no_name_of_the_list_or_of_the_trash(folder: PredictionFolder) -> None:
    taken = set()
    for step in range(4):
        path = folder.new_path("m", NOW)
        assert path.stem not in taken
        taken.add(path.stem)
        write_prediction(path, noise(step))
        if step % 2:
            folder.discard(path)
    assert taken == {"m-20261123-040506", *(f"m-20261123-040506-{n}" for n in (2, 3, 4))}


@pytest.mark.parametrize(
    ("model", "stem"), [("a/b:c", "a-b-c"), ("../../x", "..-..-x"), ("", "prediction"), ("m" * 300, "m" * 80)]
)
def test_any_model_gives_a_name_of_a_file(folder: PredictionFolder, model: str, stem: str) -> None:
    path = folder.new_path(model, NOW)
    assert path.parent == folder.path and path.name == f"{stem}-20261123-040506.zarr"


def test_a_damaged_store_hides_its_row_and_says_so(folder: PredictionFolder) -> None:
    add(folder, "good")
    damaged = add(folder, "bad")
    attributes = json.loads((damaged / "zarr.json").read_text())
    attributes["attributes"]["napari_ink"]["region"] = "everywhere"
    (damaged / "zarr.json").write_text(json.dumps(attributes))
    (folder.path / "empty.zarr").mkdir()
    found = folder.read()
    assert [row.path.stem for row in found.rows] == ["good"]
    assert len(found.faults) == 2
    assert "bad.zarr is not listed: The record of" in found.faults[0]
    assert "empty.zarr is not listed: " in found.faults[1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": 5}', '{"name": ""}', '{"final_blocks": -1}', "null"])
def test_a_damaged_record_costs_the_name_only_and_is_replaced(folder: PredictionFolder, content: str) -> None:
    store = add(folder, channels=3)
    record_path(store).write_text(content)
    found = folder.read()
    assert found.rows[0].name == "stand-in"
    assert "listed under its model's name" in found.faults[0]
    assert folder.measured(found.rows[0]).mean_disagreement is not None  # not recorded, and no error
    folder.rename(store, "again")
    found = folder.read()
    assert (found.rows[0].name, found.faults) == ("again", ())


def test_what_a_later_version_records_survives_a_renaming(folder: PredictionFolder) -> None:
    store = add(folder)
    record_path(store).write_text('{"name": "x", "colour": [1, 2]}')
    folder.rename(store, "y")
    assert json.loads(record_path(store).read_text())["colour"] == [1, 2]
    assert read_record(store).name == "y"


class Killed(BaseException):
    """The program ends here."""


class Lists(RuleBasedStateMachine):
    """Runs, renamings, deletions and undo in any order, each perhaps killed at any step: nothing is lost or doubled."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.place = tempfile.TemporaryDirectory()
        self.folder = PredictionFolder(Path(self.place.name) / "seg.ink")
        self.template = write_prediction(Path(self.place.name) / "template.zarr", noise(1, 2, (8, 8)))
        self.kept: dict[str, str] = {}  # name of each store, and its name for people
        self.removable: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.cleanup()

    def live(self) -> list[Path]:
        return [row.path for row in self.folder.read().rows]

    @rule(model=st.sampled_from(["m", "a/b", ""]))
    def run(self, model: str) -> None:
        path = copy_of(self.template, self.folder.new_path(model, NOW))
        assert path.name not in self.kept
        self.kept[path.name] = "stand-in"
        (path / "mine").write_text(str(self.made))
        self.made += 1

    @precondition(lambda self: bool(self.live()))
    @rule(data=st.data(), name=st.text("ab é½", min_size=1, max_size=5).filter(lambda name: name == name.strip()))
    def rename(self, data: st.DataObject, name: str) -> None:
        store = data.draw(st.sampled_from(self.live()))
        self.folder.rename(store, name)
        self.kept[store.name] = name

    @precondition(lambda self: bool(self.live()))
    @rule(data=st.data(), killed_at=st.integers(0, 4))
    def discard(self, data: st.DataObject, killed_at: int) -> None:
        store = data.draw(st.sampled_from(self.live()))
        self.perhaps_killed(killed_at, lambda: self.folder.discard(store))

    @precondition(lambda self: bool(self.folder.read().trash))
    @rule(data=st.data(), killed_at=st.integers(0, 4))
    def restore(self, data: st.DataObject, killed_at: int) -> None:
        trashed = data.draw(st.sampled_from([one.path for one in self.folder.read().trash]))
        self.perhaps_killed(killed_at, lambda: self.folder.restore(trashed))

    @rule(killed_at=st.integers(0, 6))
    def empty(self, killed_at: int) -> None:
        in_trash = {one.store_name for one in self.folder.read().trash}
        self.perhaps_killed(killed_at, self.folder.empty_trash)
        left = {one.store_name for one in self.folder.read().trash}
        assert left <= in_trash and (killed_at or not left)
        for name in in_trash - left:
            del self.kept[name]

    def perhaps_killed(self, step: int, action: Any) -> None:
        """Do something, killed just before or just after the n-th change of the disk; 0 for not at all."""
        names, calls = ("rename", "unlink", "rmdir"), [0]
        originals = {name: getattr(os, name) for name in names}

        def counted(name: str) -> Any:
            def call(*arguments: Any, **settings: Any) -> Any:
                calls[0] += 1
                if calls[0] == step and step % 2:
                    raise Killed
                done = originals[name](*arguments, **settings)
                if calls[0] == step:
                    raise Killed
                return done

            return call

        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            for name in names:
                patch.setattr(os, name, counted(name))
            action()

    @invariant()
    def all_are_there_once_with_their_names(self) -> None:
        if not hasattr(self, "folder"):
            return
        found = self.folder.read()
        live = {row.path.name: row.name for row in found.rows}
        trash = {one.store_name: one.name for one in found.trash}
        assert not set(live) & set(trash)
        assert live | trash == self.kept
        assert found.faults == ()
        assert all(open_prediction(row.path).complete for row in found.rows)


Lists.TestCase.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
test_nothing_is_lost_in_any_order_of_actions = Lists.TestCase
