"""The command line with real commands on real files: results, exit codes, and one-line errors."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ink.cli import main
from napari_ink.cli.info import _print_record
from napari_ink.model import InkEdgeConfig, InputContract, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from tests.interrupting import interrupted
from tests.small_disk import small_disk

HEIGHT, WIDTH, DEPTH = 50, 70, 12
CONTRACT = InputContract(depth_layers=8, min_depth_layers=4, mean=0.3, std=0.2, voxel_size_um=7.91, tile_size=64)
COMMANDS = [
    "demo",
    "open",
    "info",
    "convert",
    "probe",
    "predict",
    "store",
    "export",
    "train",
    "teach",
    "adapt",
    "evaluate",
    "calibrate",
    "phantom",
    "models",
    "doctor",
]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Ended:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capfd.readouterr())

    return run


@pytest.fixture
def run_apart() -> Run:
    def run(*arguments: object, **environment: str) -> Ended:
        command = [sys.executable, "-m", "napari_ink.cli", *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


def assert_refused(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.startswith("napari-ink: ")
    assert ended.err.count("\n") == 1 and ended.err.endswith("\n"), ended.err
    for word in words:
        assert word in ended.err


def grey(depth: int = DEPTH, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**16, (depth, height, width), dtype=np.uint16)


def write_layers(folder: Path, stack: np.ndarray) -> Path:
    (folder / "layers").mkdir(parents=True)
    for z, layer in enumerate(stack):
        tifffile.imwrite(folder / "layers" / f"{z:02}.tif", layer)
    return folder


def write_bool(path: Path, plane: np.ndarray) -> Path:
    Image.fromarray(plane.astype(np.uint8) * 255).save(path)
    return path


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    folder = write_layers(tmp_path / "seg", grey())
    (folder / "meta.json").write_text('{"voxelsize": 7.91}')
    write_bool(folder / "seg_mask.png", np.ones((HEIGHT, WIDTH), bool))
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    torch.manual_seed(0)
    network = InkEdgeNetwork(InkEdgeConfig.tiny())
    torch.nn.init.normal_(network.heads.weight, std=30)  # otherwise an untrained network is almost constant
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    return save_checkpoint(path, network, network.config, CONTRACT, {"data": "none"})


@pytest.fixture
def prediction(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> Path:
    ended = run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--device", "cpu")
    assert ended.code == 0, ended
    return tmp_path / "p.zarr"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from napari_ink.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'napari', 'zarr', 'numpy', 'scipy', 'qtpy', 'pydantic'} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.rstrip().endswith("[]")
    listed = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith("    ") and line[4] != " "]
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Run, command: str) -> None:
    ended = run(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"usage: napari-ink {command}")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("info",),
        ("predict", "x"),
        ("phantom", "x", "--seed", "one", "--size", "9", "9"),
        ("models", "--x"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    assert_refused(run(*arguments), "--help")


@pytest.mark.parametrize(
    "arguments", [("info", ""), ("info", " "), ("predict", "x", "-o", ""), ("export", "", "-o", "x")]
)
def test_empty_arguments_are_not_taken_for_the_current_folder(run: Run, arguments: tuple[str, ...]) -> None:
    assert_refused(run(*arguments), "An argument is empty")


def test_info_as_json(run: Run, segment: Path) -> None:
    ended = run("info", segment, "--json")
    assert (ended.code, ended.err) == (0, "")
    facts = json.loads(ended.out)
    assert facts["shape"] == [DEPTH, HEIGHT, WIDTH]
    assert facts["dtype"] == "uint16"
    assert facts["voxel_size_um"] == 7.91
    assert facts["format"] == "tiff folder"
    assert facts["surface_layer"] == DEPTH // 2
    assert Path(facts["mask"]) == segment / "seg_mask.png"
    assert facts["ink_labels"] is None


def test_info_for_people(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", grey().astype(np.uint8))
    ended = run("info", tmp_path / "stack.npy")
    assert ended.code == 0
    assert "12 depth layers of 50 × 70 pixels" in ended.out
    assert "uint8" in ended.out


def test_a_stack_predicts_and_exports_at_its_exact_size(run: Run, prediction: Path, tmp_path: Path) -> None:
    for what, suffix in (("ink", "png"), ("edges", "tif")):
        out = tmp_path / f"{what}.{suffix}"
        ended = run("export", prediction, "-o", out, "--what", what, "--threshold", 0.4)
        assert (ended.code, ended.out.strip(), ended.err) == (0, str(out), "")
        mask = np.asarray(Image.open(out))
        assert mask.shape == (HEIGHT, WIDTH)
        assert set(np.unique(mask)) <= {0, 255}


@pytest.mark.parametrize("option", [("--threshold", 0.4), ("--size", 50, 70)])
def test_a_map_refuses_what_is_for_masks(
    run: Run, prediction: Path, tmp_path: Path, option: tuple[str | float, ...]
) -> None:
    ended = run("export", prediction, "-o", tmp_path / "map.tif", "--what", "map", *option)
    assert ended.code == 2 and f"{option[0]} does not apply" in ended.err
    assert not (tmp_path / "map.tif").exists()


def test_a_region_equals_that_part_of_a_whole_prediction(
    run: Run, prediction: Path, segment: Path, checkpoint: Path, tmp_path: Path
) -> None:
    from napari_ink.predict import open_prediction

    out = tmp_path / "region.zarr"
    assert run("predict", segment, "-o", out, "--model", checkpoint, "--region", "10:40,20:60").code == 0
    part, whole = open_prediction(out), open_prediction(prediction)
    assert part.shape == whole.shape
    area = slice(10, 40), slice(20, 60)
    np.testing.assert_allclose(part.read("ink", *area).astype(int), whole.read("ink", *area).astype(int), atol=1)
    assert np.ptp(whole.read("ink", *area)) > 50
    assert not part.read("ink", slice(0, 10), slice(0, WIDTH)).any()
    labels = write_bool(tmp_path / "truth.png", whole.read("ink") >= 128)
    assert json.loads(run("evaluate", out, labels, "--json").out)["f0_5"] > 0.99


def test_nothing_is_predicted_outside_a_mask(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    from napari_ink.predict import open_prediction

    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[:, 30:] = True
    mask = write_bool(tmp_path / "half.png", inside)
    assert run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--mask", mask).code == 0
    ink = open_prediction(tmp_path / "p.zarr").read("ink", slice(0, HEIGHT), slice(0, WIDTH))
    assert not ink[~inside].any() and ink[inside].any()


def test_the_model_input_is_printed(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    ended = run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--device", "cpu")
    assert "depth layers 2 to 9 of 12" in ended.err
    assert "Traceback" not in ended.err
    assert str(tmp_path / "p.zarr") in ended.out


def test_long_names_of_provenance_are_apart_from_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    _print_record({"a name of more than forty characters, as networks have": 7, "again": None}, as_json=False)
    assert capsys.readouterr().out.endswith("have: 7\n")


def test_info_prints_the_provenance_of_a_prediction(run: Run, prediction: Path) -> None:
    info = json.loads(run("info", prediction, "--json").out)
    assert info["done"] == 1 and info["complete"] and len(info["model"]["sha256"]) == 64
    assert info["stack"]["shape"] == [DEPTH, HEIGHT, WIDTH] and info["device"] == "cpu"
    plain = run("info", prediction).out
    assert "model sha256:" in plain and "stack fingerprint:" in plain and "contract tile size:" in plain


def test_the_command_from_info_repeats_the_prediction(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path
) -> None:
    from napari_ink.predict import open_prediction

    out, mask = tmp_path / "first.zarr", write_bool(tmp_path / "a mask.png", np.eye(HEIGHT, WIDTH) == 0)
    asked = ("--region", "3:45,5:66", "--mask", mask, "--direction", "reversed", "--offset", "1")
    made = run(
        "predict", segment, "-o", out, "--model", checkpoint, *asked, "--overlap", 0.5, "--augment", "depth,flips"
    )
    assert made.code == 0, made
    info = json.loads(run("info", out, "--json").out)
    again = info["again"]
    assert "why_not_again" not in info
    assert f"again:{'':32}{again}" in run("info", out).out
    words = [str(tmp_path / "AGAIN.zarr") if word == "AGAIN.zarr" else word for word in shlex.split(again)]
    assert words[0] == "napari-ink" and run(*words[1:]).code == 0
    first, second = (open_prediction(tmp_path / name) for name in ("first.zarr", "AGAIN.zarr"))
    for what in ("ink", "edge", "disagreement"):
        np.testing.assert_array_equal(first.read(what), second.read(what))
    assert first.read("ink").any()


@pytest.mark.parametrize("of_python", ["mask", "model"])
def test_info_prints_no_command_for_models_and_masks_without_a_file(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, of_python: str
) -> None:
    from napari_ink.model import load_model
    from napari_ink.predict import PredictRequest, predict
    from napari_ink.stack import open_stack

    out, model = tmp_path / "p.zarr", load_model(checkpoint)
    mask = np.eye(HEIGHT, WIDTH, dtype=bool) if of_python == "mask" else None
    request = PredictRequest(open_stack(segment), model, out, mask=mask, device="cpu")
    if of_python == "model":
        request = replace(request, model=replace(model, source=None))
    assert list(predict(request))
    info = json.loads(run("info", out, "--json").out)
    assert info["again"] is None and f"its {of_python} " in info["why_not_again"]
    assert "given from Python and is in no file" in info["why_not_again"]
    assert f"why not again:{'':24}{info['why_not_again']}" in run("info", out).out


def test_unknown_augmentations_are_refused(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    ended = run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--augment", "flips,colours")
    assert_refused(ended, "colours", "flips, rotations, depth")


def test_several_models_are_averaged(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    ended = run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--model", checkpoint)
    assert ended.code == 0 and "mean of 2 predictions" in ended.err


def test_several_stacks_are_predicted_in_a_queue(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    from napari_ink.predict import open_prediction

    other = tmp_path / "other.npy"
    np.save(other, np.random.default_rng(0).integers(0, 60000, (DEPTH, 40, 50), dtype=np.uint16))
    (tmp_path / "list.txt").write_text(f"# mine\n{other}\n\n  # not yet\n{tmp_path / 'nowhere'}\n")
    common = ("-o", tmp_path / "out", "--model", checkpoint, "--device", "cpu")
    ended = run("predict", segment / "layers", tmp_path / "list.txt", *common)
    assert ended.code == 1
    assert "2 of 3 stacks are predicted; failed: nowhere." in ended.out and "There is nothing at" in ended.out
    assert open_prediction(tmp_path / "out" / "seg.zarr").complete
    assert open_prediction(tmp_path / "out" / "other.zarr").complete
    again = run("predict", segment, other, *common, "--resume")
    assert again.code == 0 and again.out.count(": 0 tiles") == 2
    assert_refused(run("predict", segment, segment, *common), "seg")
    assert_refused(run("predict", segment, other, *common, "--region", "0:9,0:9"), "one stack")
    (tmp_path / "empty.txt").write_text("\n")
    assert_refused(run("predict", tmp_path / "empty.txt", *common), "no stack")


def test_missing_chunks_are_reported_before_a_run(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    import zarr

    zarr.create_array(tmp_path / "s.zarr", shape=(DEPTH, 40, 50), chunks=(DEPTH, 40, 50), dtype="u2")
    note = "Missing data in s: 0 of 1 chunks are there and all reads as 0"
    ended = run("predict", tmp_path / "s.zarr", "-o", tmp_path / "p.zarr", "--model", checkpoint, "--device", "cpu")
    assert ended.code == 0 and note in ended.err
    assert "0 of 1 chunks" in run("info", tmp_path / "s.zarr").out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line", ["{}", "  {}  ", '"{}"', "'{}'"])
def test_list_files_as_windows_programs_save_them(tmp_path: Path, encoding: str, line: str) -> None:
    from napari_ink.cli.predict import _listed

    (tmp_path / "seg b").mkdir()
    stacks = [str(tmp_path / "seg ä"), str(tmp_path / "seg b")]
    text = "\r\n".join([line.format(stacks[0]), "", "# not yet", line.format("seg b")])
    (tmp_path / "list.txt").write_bytes(text.encode(encoding))
    assert _listed([str(tmp_path / "list.txt")]) == stacks


@pytest.mark.parametrize("out", ["list.txt", "list.txt/sub"])
def test_a_queue_refuses_an_impossible_output_folder(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "list.txt").write_text(f"{segment}\n")
    ended = run("predict", tmp_path / "list.txt", "-o", tmp_path / out, "--model", checkpoint, "--device", "cpu")
    assert_refused(ended, f"Could not write {tmp_path / out}")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--augment", "bogus"), "no augmentation called bogus"),
        (("--model", "bogus"), "no model called bogus"),
        (("--device", "mps"), "mps is not available here"),
        (("--overlap", "0.9"), "between 0 and 0.75"),
        (("--scheduler", "0"), "at least 1"),
        (("--scheduler", "²"), "No scheduler answers at ²"),
    ],
)
def test_an_error_for_the_whole_queue_is_reported_once_and_writes_nothing(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, wrong: tuple[str, str], words: str
) -> None:
    if "mps" in wrong and sys.platform == "darwin":
        pytest.skip("this machine may have the device")
    np.save(tmp_path / "other.npy", grey())
    given = ("--model", checkpoint) if "--model" not in wrong else ()
    assert_refused(run("predict", segment, tmp_path / "other.npy", "-o", tmp_path / "out", *given, *wrong), words)
    assert not (tmp_path / "out").exists()


def test_a_queue_loads_its_model_once_and_names_outputs_by_the_folders_of_stacks(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_ink.model

    loaded: list[object] = []
    load = napari_ink.model.load_model
    monkeypatch.setattr(napari_ink.model, "load_model", lambda name: (loaded.append(name), load(name))[1])
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["x/one"], file["x/two"] = grey(), grey(height=40)
    for here, there in ((segment, "layers"), (segment / "layers", "."), (segment / "layers", "..")):
        monkeypatch.chdir(here)
        out = tmp_path / f"out of {there}"
        stacks = (there, f"{tmp_path}/two.h5::x/one", f"{tmp_path}/two.h5::/x/two")
        ended = run("predict", *stacks, "-o", out, "--model", checkpoint, "--device", "cpu")
        assert ended.code == 0, ended
        assert sorted(path.name for path in out.iterdir()) == ["seg.zarr", "two_x_one.zarr", "two_x_two.zarr"]
    assert loaded == [str(checkpoint)] * 3


def test_a_queue_continues_after_a_stack_that_needs_too_much_memory(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_ink.stack

    def open_stack(source: str) -> object:
        if source.endswith("huge.npy"):
            raise MemoryError
        return opens(source)

    opens = napari_ink.stack.open_stack
    monkeypatch.setattr(napari_ink.stack, "open_stack", open_stack)
    ended = run("predict", tmp_path / "huge.npy", segment, "-o", tmp_path / "out", "--model", checkpoint)
    assert ended.code == 1 and "1 of 2 stacks are predicted; failed: huge." in ended.out
    assert "huge.npy: failed: it needs more memory" in ended.out


def test_evaluate_a_store_and_an_image(run: Run, prediction: Path, segment: Path, tmp_path: Path) -> None:
    from napari_ink.predict import open_prediction

    ink = open_prediction(prediction).read("ink", slice(0, HEIGHT), slice(0, WIDTH))
    Image.fromarray(ink).save(tmp_path / "ink.png")
    labels = write_bool(tmp_path / "truth.png", ink >= np.median(ink))
    scores = json.loads(run("evaluate", prediction, labels, "--json").out)
    assert scores["f0_5"] == pytest.approx(1)
    assert scores["best_threshold"] == pytest.approx(np.median(ink) / 255, abs=0.01)
    assert {"precision", "recall", "f1", "average_precision", "f0_5_at_half", "edge_ods"} <= set(scores)
    of_image = json.loads(run("evaluate", tmp_path / "ink.png", labels, "--json").out)
    assert of_image["f0_5"] == scores["f0_5"]
    assert of_image["edge_ods"] is None
    masked = run("evaluate", prediction, labels, "--mask", segment / "seg_mask.png")
    assert masked.code == 0 and "F0.5" in masked.out


def test_the_sample_scores_its_own_labels_perfectly(run: Run, tmp_path: Path) -> None:
    from napari_ink.phantom import sample_path

    labels = next(sample_path().glob("*_inklabels.png"))
    scores = json.loads(run("evaluate", labels, labels, "--json").out)
    assert scores["f0_5"] == 1.0


def test_phantom_makes_the_same_segment_from_the_same_seed(run: Run, tmp_path: Path) -> None:
    for name in ("a/ph", "b/ph"):
        (tmp_path / name).parent.mkdir()
        ended = run("phantom", tmp_path / name, "--seed", 4, "--size", 64, 96, "--layers", 17)
        assert (ended.code, ended.out.strip()) == (0, str(tmp_path / name)), ended
    facts = json.loads(run("info", tmp_path / "a/ph", "--json").out)
    assert facts["shape"] == [17, 64, 96]
    assert facts["ink_labels"].endswith("ph_inklabels.png")
    one, two = (sorted((tmp_path / name / "ph/layers").iterdir()) for name in "ab")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_phantom_of_a_world_with_and_without_ink(run: Run, tmp_path: Path) -> None:
    size = ("--seed", 4, "--size", 96, 96, "--layers", 17, "--world", "foam")
    for name, more in (("inked", ()), ("bare", ("--blank",))):
        assert run("phantom", tmp_path / name, *size, *more).code == 0
    labels = [np.asarray(Image.open(tmp_path / name / f"{name}_inklabels.png")) for name in ("inked", "bare")]
    assert labels[0].any() and not labels[1].any()
    meta = json.loads((tmp_path / "inked/meta.json").read_text())
    assert meta["phantom"]["world"] == "foam" and meta["voxelsize"] == meta["phantom"]["voxel_size_um"]
    assert_refused(run("phantom", tmp_path / "x", *size[:-1], "moon"), "moon", "foam")
    assert_refused(run("phantom", tmp_path / "x", *size, "--hard"), "--hard")


def test_phantom_without_ink(run: Run, tmp_path: Path) -> None:
    assert run("phantom", tmp_path / "a", "--seed", 4, "--size", 96, 96, "--layers", 17, "--blank").code == 0
    assert not np.asarray(Image.open(tmp_path / "a/a_inklabels.png")).any()


def test_models(run: Run) -> None:
    from napari_ink.model import DEFAULT_MODEL

    described = run("models").out
    assert "left out of training, of this network or of ones trained alike: auc 0.916" in described
    assert f"{DEFAULT_MODEL}: " in described and "{" not in described
    cards = {card["name"]: card for card in json.loads(run("models", "--json").out)}
    assert cards[DEFAULT_MODEL]["contract"]["depth_layers"] > 0


def test_models_describes_foreign_files(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    description = run("models", checkpoint).out
    assert description.startswith(f"{checkpoint.stem}: ") and "reads 8 depth layers" in description
    assert_refused(run("models", tmp_path / "none.onnx"), "none.onnx")


def test_a_chosen_direction_and_window_are_reported_recorded_and_required_to_resume(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path
) -> None:
    from napari_ink.predict import open_prediction

    out = tmp_path / "other.zarr"
    command = ("predict", segment, "-o", out, "--model", checkpoint, "--device", "cpu")
    ended = run(*command, "--direction", "reversed", "--offset", "-1")
    assert "reversed." in ended.err and "as asked" in ended.err
    provenance = open_prediction(out).provenance
    assert (provenance["direction"], provenance["contract"]["surface_offset"]) == ("reversed", -1)
    assert provenance["asked_instead_of"] == {"direction": "as stored", "surface_offset": 0}
    assert_refused(run(*command, "--resume"), "input contract")
    assert run(*command, "--resume", "--direction", "reversed", "--offset", "-1").code == 0
    assert_refused(run(*command[:3], tmp_path / "none.zarr", *command[4:], "--offset", "40"), "An offset of 40")


def test_a_grey_range_is_reported_recorded_repeated_and_required_to_resume(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path
) -> None:
    from napari_ink.predict import open_prediction
    from napari_ink.stack import open_stack

    values = open_stack(segment).read(slice(None), slice(None), slice(None)).astype(np.float64)
    dark = np.round(values * (4095 / 65535)).astype(np.uint16)
    np.save(tmp_path / "full.npy", np.round(dark * (65535 / 4095)).astype(np.uint16))
    np.save(tmp_path / "dark.npy", dark)
    plain = ("--model", checkpoint, "--device", "cpu")
    full, out = tmp_path / "full.zarr", tmp_path / "p.zarr"
    assert "--grey-range" not in run("predict", tmp_path / "full.npy", "-o", full, *plain).err
    ended = run("predict", tmp_path / "dark.npy", "-o", tmp_path / "dark.zarr", *plain)
    assert "`--grey-range 0 4095`" in ended.err and ended.code == 0
    ended = run("predict", tmp_path / "dark.npy", "-o", out, *plain, "--grey-range", "0", "4095")
    assert "from 0 to 4095 are spread" in ended.err and "no grey range" in ended.err and ended.code == 0
    maps = [open_prediction(path).read("ink").astype(int) for path in (full, out)]
    assert np.abs(maps[0] - maps[1]).max() <= 1 and maps[0].std() > 0
    assert open_prediction(out).provenance["contract"]["grey_range"] == [0, 4095]
    words = shlex.split(json.loads(run("info", out, "--json").out)["again"])
    assert words[words.index("--grey-range") :][:3] == ["--grey-range", "0", "4095"]
    again = ("predict", tmp_path / "dark.npy", "-o", out, *plain, "--resume")
    assert run(*again, "--grey-range", "0", "4095").code == 0
    assert_refused(run(*again, "--grey-range", "0", "4000"), "grey range")
    assert_refused(run(*again), "grey range")
    nowhere = ("predict", tmp_path / "dark.npy", "-o", tmp_path / "none.zarr", *plain)
    assert_refused(run(*nowhere, "--grey-range", "9", "3"), "two rising values")


def test_info_says_that_a_scan_is_outside_of_what_the_default_model_knows(run: Run, tmp_path: Path) -> None:
    from napari_ink.phantom import sample_path

    greys = np.random.default_rng(0).integers(1, 255, (40, 160, 160), np.uint8)
    np.save(tmp_path / "scan.npy", greys)
    note = json.loads(run("info", tmp_path / "scan.npy", "--json").out)["model_note"]
    assert "no scan was among it" in note and "finer grain" in note and "hint" in note
    assert "model note:" in run("info", tmp_path / "scan.npy").out
    assert json.loads(run("info", sample_path(), "--json").out)["model_note"] is None


def test_info_reports_the_range_that_grey_values_fill(run: Run, tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(1, 4096, (3, 70, 70)).astype(np.uint16)
    np.save(tmp_path / "s.npy", dark)
    info = json.loads(run("info", tmp_path / "s.npy", "--json").out)
    assert (info["grey_values"]["black"], info["grey_values"]["white"]) == (0, 65535)
    assert "`--grey-range 0 4095`" in info["grey_note"]
    plain = run("info", tmp_path / "s.npy", "--grey-range", "0", "4095").out
    assert "of 0 to 4095, in a sample" in plain and "grey note" not in plain
    assert_refused(run("info", tmp_path / "s.npy", "--grey-range", "0", "70000"), "does not fit this stack")


def test_guesses_about_layers_are_reported(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "seg", tmp_path / "p.zarr"
    folder.mkdir()
    for z, layer in enumerate(np.random.default_rng(0).integers(0, 65536, (8, 70, 70), dtype=np.uint16)):
        tifffile.imwrite(folder / f"{z - 8}.tif", layer)
    tifffile.imwrite(folder / "a.tif", layer)
    sign, left_out = "numbered -8 to -1", "left out: a.tif"
    for text in (
        run("info", folder).out,
        " ".join(json.loads(run("info", folder, "--json").out)["notes"]),
        run("predict", folder, "-o", out, "--model", checkpoint, "--device", "cpu").err,
        run("probe", folder, "--model", checkpoint, "--device", "cpu", "--tiles", "1", "--reach", "0").err,
        run("convert", folder, tmp_path / "c.zarr").err,
    ):
        assert sign in text and left_out in text


@pytest.mark.parametrize("with_offset", [False, True])
def test_an_older_reversed_run_is_not_resumed_at_other_layers(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, with_offset: bool
) -> None:
    """Reversed windows are mirrored by now, so the same offset reads other layers."""
    import zarr

    from napari_ink.predict import open_prediction

    out = tmp_path / "p.zarr"
    command = ("predict", segment, "-o", out, "--model", checkpoint, "--device", "cpu", "--direction", "reversed")
    command = (*command, "--offset", "1") if with_offset else command
    assert run(*command).code == 0
    record = dict(open_prediction(out).provenance)
    assert record["z_window"] == ([1, 9] if with_offset else [2, 10])
    if not with_offset:
        assert run(*command, "--resume").code == 0  # a window of 8 in 12 layers has not moved
        return
    attributes = zarr.open_group(out, mode="r+").attrs
    (name,) = (key for key, value in attributes.items() if isinstance(value, dict) and "z_window" in value)
    attributes[name] = {**record, "z_window": [3, 11]}
    assert_refused(run(*command, "--resume"), "another window of layers")
    words = shlex.split(json.loads(run("info", out, "--json").out)["again"])
    assert words[words.index("--offset") + 1] == "-1"


def no_tiff(home: Path) -> Path:
    (home / "bad").mkdir()
    (home / "bad" / "notes.txt").write_text("nothing here")
    return home / "bad"


def missing_layer(home: Path) -> Path:
    (write_layers(home / "bad", grey()) / "layers" / "05.tif").unlink()
    return home / "bad"


def other_size(home: Path) -> Path:
    write_layers(home / "bad", grey())
    tifffile.imwrite(home / "bad/layers/05.tif", grey()[0, :-1])
    return home / "bad"


def other_dtype(home: Path) -> Path:
    write_layers(home / "bad", grey())
    tifffile.imwrite(home / "bad/layers/05.tif", grey()[0].astype(np.uint8))
    return home / "bad"


def truncated(home: Path) -> Path:
    path = write_layers(home / "bad", grey()) / "layers" / "05.tif"
    path.write_bytes(path.read_bytes()[:-1000])
    return home / "bad"


def rgb(home: Path) -> Path:
    (home / "bad").mkdir()
    for z in range(DEPTH):
        tifffile.imwrite(home / "bad" / f"{z:02}.tif", np.zeros((HEIGHT, WIDTH, 3), np.uint8), photometric="rgb")
    return home / "bad"


def floating(home: Path) -> Path:
    return write_layers(home / "bad", grey().astype(np.float64))


def nowhere(home: Path) -> Path:
    return home / "bad"


def no_image(home: Path) -> Path:
    (home / "bad.tif").write_bytes(b"II*\0 certainly no picture")
    return home / "bad.tif"


BAD_STACKS = [no_tiff, missing_layer, other_size, other_dtype, truncated, rgb, floating, nowhere, no_image]


@pytest.mark.parametrize("spoil", BAD_STACKS)
def test_a_bad_stack_is_refused_and_leaves_no_output(
    run: Run, spoil: Callable[[Path], Path], checkpoint: Path, tmp_path: Path
) -> None:
    bad = spoil(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert_refused(run("info", bad), "bad")
    assert_refused(run("predict", bad, "-o", tmp_path / "out.zarr", "--model", checkpoint), "bad")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_missing_layer_is_named(run: Run, tmp_path: Path) -> None:
    assert_refused(run("info", missing_layer(tmp_path)), "lacks layer 5")


def test_a_file_that_is_no_tiff_is_not_called_a_map(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("hello")
    ended = run("info", tmp_path / "text.tif")
    assert_refused(ended, "text.tif cannot be read", "replace it with the original file")


def test_an_offset_that_leaves_the_stack_is_named(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    command = ("predict", segment, "-o", tmp_path / "out.zarr", "--model", checkpoint, "--offset")
    assert_refused(run(*command, 99), "An offset of 99 leaves 0 of", "choose an offset from")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("name", ["ink.png", "ink.tif", "ink.npy"])
def test_a_prediction_is_not_named_like_a_file(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    ended = run("predict", segment, "-o", tmp_path / name, "--model", checkpoint)
    assert_refused(ended, "ink.zarr", "napari-ink export")
    assert not (tmp_path / name).exists()


def test_a_region_that_is_cut_is_told(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    command = ("predict", segment, "-o", tmp_path / "out.zarr", "--model", checkpoint, "--device", "cpu")
    ended = run(*command, "--region", "0:8,0:9999")
    assert ended.code == 0, ended
    assert f"The region 0:8,0:9999 reaches beyond the segment, so it is cut to 0:8,0:{WIDTH}." in ended.err
    assert re.search(r"out.zarr: (1 tile|[2-9] tiles) in ", ended.out)


def test_a_prediction_of_another_size_is_refused(run: Run, prediction: Path, tmp_path: Path) -> None:
    out = tmp_path / "ink.png"
    assert_refused(run("export", prediction, "-o", out, "--size", 5, 6), f"{HEIGHT} × {WIDTH} pixels, not 5 × 6")
    assert run("export", prediction, "-o", out, "--size", HEIGHT, WIDTH).code == 0


def test_too_few_layers_for_the_model(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    stack = write_layers(tmp_path / "thin", grey(depth=3))
    assert_refused(run("predict", stack, "-o", tmp_path / "out.zarr", "--model", checkpoint), "3", "4")
    assert not (tmp_path / "out.zarr").exists()


def test_a_missing_or_false_checkpoint_is_refused(run: Run, segment: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(b"\x80\x04 no weights")
    for model in (fake, tmp_path / "none.safetensors", "no-such-model"):
        assert_refused(run("predict", segment, "-o", tmp_path / "out.zarr", "--model", model))
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("region", ["all", "5:5,0:9", "9:5,0:9", "0:9", "100:200,0:9", "-5:5,0:9"])
def test_an_invalid_region_is_refused(run: Run, segment: Path, checkpoint: Path, tmp_path: Path, region: str) -> None:
    out = tmp_path / "out.zarr"
    assert_refused(run("predict", segment, "-o", out, "--model", checkpoint, f"--region={region}"))
    assert not out.exists()


def test_a_mask_that_is_too_small_is_refused(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    mask = write_bool(tmp_path / "small.png", np.ones((HEIGHT, WIDTH - 1), bool))
    ended = run("predict", segment, "-o", tmp_path / "out.zarr", "--model", checkpoint, "--mask", mask)
    assert_refused(ended, str(WIDTH), str(WIDTH - 1))


def test_a_mask_without_a_white_pixel_is_refused(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    left = np.zeros((HEIGHT, WIDTH), bool)
    black = write_bool(tmp_path / "black.png", left)
    left[:, :9] = True
    command = ("predict", segment, "-o", tmp_path / "out.zarr", "--model", checkpoint, "--mask")
    assert_refused(run(*command, black), "leaves nothing", "white where there is papyrus")
    elsewhere = run(*command, write_bool(tmp_path / "left.png", left), "--region", "0:50,9:70")
    assert_refused(elsewhere, "leaves nothing", "another region")
    assert not (tmp_path / "out.zarr").exists()


def test_no_output_is_overwritten(run: Run, prediction: Path, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    mask = tmp_path / "ink.png"
    mask.write_bytes(b"mine")
    assert_refused(run("export", prediction, "-o", mask), "ink.png")
    assert mask.read_bytes() == b"mine"
    assert_refused(run("predict", segment, "-o", prediction, "--model", checkpoint), "p.zarr", "resume")
    assert_refused(run("phantom", segment, "--seed", 1, "--size", 64, 64), "seg")


@pytest.mark.parametrize("name", ["ink.jpg", "ink", "nowhere/ink.png"])
def test_an_impossible_output_is_refused(run: Run, prediction: Path, tmp_path: Path, name: str) -> None:
    assert_refused(run("export", prediction, "-o", tmp_path / name), name.split("/")[0])
    assert not (tmp_path / name).exists()


def test_export_refuses_a_plane_that_a_source_lacks(run: Run, prediction: Path, tmp_path: Path) -> None:
    assert_refused(run("export", prediction, "-o", tmp_path / "s.png", "--what", "supervision"))
    assert_refused(run("export", tmp_path / "none.zarr", "-o", tmp_path / "s.png"), "none.zarr")
    assert_refused(run("export", prediction, "-o", tmp_path / "s.png", "--threshold", 1.5), "1.5")
    assert not (tmp_path / "s.png").exists()


def test_evaluate_refuses_files_that_are_no_image(run: Run, prediction: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.png").write_bytes(b"no picture")
    assert_refused(run("evaluate", prediction, tmp_path / "labels.png"), "labels.png")
    assert_refused(run("evaluate", prediction, tmp_path / "none.png"), "none.png")
    black = write_bool(tmp_path / "black.png", np.zeros((HEIGHT, WIDTH), bool))
    assert_refused(run("evaluate", prediction, black, "--mask", black), "black.png")
    good = write_bool(tmp_path / "good.png", np.ones((HEIGHT, WIDTH), bool))
    assert_refused(run("evaluate", tmp_path / "labels.png", good), "labels.png")
    assert_refused(run("evaluate", tmp_path / "none.zarr", good), "none.zarr")


@pytest.mark.parametrize("size", [("3", "64"), ("64", "-1")])
def test_an_impossible_size_of_a_phantom_is_refused(run: Run, tmp_path: Path, size: tuple[str, str]) -> None:
    assert_refused(run("phantom", tmp_path / "ph", "--seed", 1, "--size", *size))
    assert not (tmp_path / "ph").exists()


def test_a_lack_of_memory_is_an_error_of_one_line(run: Run, tmp_path: Path) -> None:
    ended = run("phantom", tmp_path / "ph", "--seed", 1, "--size", 999999, 999999)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "memory" in ended.err


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "16k") as disk:
        yield disk


def test_a_full_disk_is_an_error_of_one_line(run: Run, full_disk: Path, segment: Path, checkpoint: Path) -> None:
    ended = run("predict", segment, "-o", full_disk / "p.zarr", "--model", checkpoint)
    assert ended.code == 1, "the arguments were right"
    assert "disk is full" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    ended = run("phantom", full_disk / "ph", "--seed", 1, "--size", 64, 64)
    assert ended.code == 1 and "disk is full" in ended.err and ended.err.count("\n") == 1
    assert list(full_disk.iterdir()) == []


# Ways to end a process: from a terminal, by `kill`, and by `kill` in the background, where Ctrl-C is ignored.
ASKED = [(signal.SIGINT, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_IGN)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
@pytest.mark.parametrize(("sent", "ctrl_c"), ASKED)
def test_interrupted_then_resumed(
    checkpoint: Path, tmp_path: Path, run: Run, sent: signal.Signals, ctrl_c: signal.Handlers
) -> None:
    stack = write_layers(tmp_path / "seg", grey(depth=8, height=1024, width=768))
    command = ["predict", str(stack), "-o", str(tmp_path / "p.zarr"), "--model", str(checkpoint), "--device", "cpu"]
    rest = interrupted(command, lambda process: os.kill(process, sent), ctrl_c)
    assert rest.splitlines()[-1].startswith("napari-ink: Interrupted; the finished part is saved")
    assert run(*command, "--resume").code == 0
    from napari_ink.predict import open_prediction

    assert open_prediction(tmp_path / "p.zarr").complete


_SLOWLY = """
import importlib, sys, time
from napari_ink.cli import main
where, kind, name = sys.argv.pop(1).split(":")
kind = getattr(importlib.import_module(where), kind)
read = getattr(kind, name)
def slow(*given):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(1)
    return read(*given)
setattr(kind, name, slow)
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM between processes")
@pytest.mark.parametrize(
    ("command", "what_reads"),
    [
        ("convert", "napari_ink.stack.tiff:TiffPlane:read"),
        ("export", "napari_ink.predict.storage.store:Plane:__getitem__"),
    ],
)
def test_a_terminated_conversion_or_export_leaves_no_partial_files(
    prediction: Path, segment: Path, tmp_path: Path, run: Run, command: str, what_reads: str
) -> None:
    source, out = (segment, tmp_path / "o.zarr") if command == "convert" else (prediction, tmp_path / "o.tif")
    arguments = [command, str(source), *([] if command == "convert" else ["-o"]), str(out)]
    with subprocess.Popen(
        [sys.executable, "-c", _SLOWLY, what_reads, *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("reading" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
    assert rest.splitlines()[-1].startswith("napari-ink: Interrupted") and "Traceback" not in rest
    assert not out.exists()
    assert run(*arguments).code == 0 and out.exists()
    assert [path.name for path in tmp_path.rglob("*partial*")] == []


def test_the_handler_of_sigterm_is_removed_after_a_command(run: Run) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run("models").code == 0
    assert signal.getsignal(signal.SIGTERM) == before


LONG = "/tmp/" + "x" * 5000


@pytest.mark.parametrize(
    "command",
    [
        ("info", LONG),
        ("info", LONG + ".zarr"),
        ("convert", LONG, "o.zarr"),
        ("convert", "{segment}", LONG + ".zarr"),
        ("probe", LONG),
        ("predict", LONG, "-o", "{out}"),
        ("predict", "{segment}", "-o", LONG + ".zarr", "--model", "{model}"),
        ("predict", "{segment}", "-o", "{out}", "--model", LONG + ".onnx"),
        ("predict", "{segment}", "-o", "{out}", "--mask", LONG + ".png", "--model", "{model}"),
        ("predict", LONG + ".txt", "-o", "{out}"),
        ("export", LONG, "-o", "{out}"),
        ("evaluate", LONG, LONG + ".png"),
        ("train", "--pair", LONG, LONG, "-o", "{out}"),
        ("phantom", LONG, "--seed", "1", "--size", "64", "64"),
        ("models", LONG),
        ("info", "a\0b"),
        ("predict", "{segment}", "-o", "a\0b.zarr"),
    ],
)
def test_names_that_no_system_allows_are_refused(
    run: Run, segment: Path, checkpoint: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    places = {"segment": segment, "model": checkpoint, "out": tmp_path / "out.zarr"}
    ended = run(*(word.format(**places) for word in command))
    assert_refused(ended)
    assert len(ended.err) < 2500 and "Traceback" not in ended.err
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names of text only")
def test_file_names_that_are_not_text_are_used_unchanged(run_apart: Run, segment: Path, checkpoint: Path) -> None:
    odd = segment.rename(os.fsdecode(os.fsencode(segment) + b"\xff"))
    for command in (
        ("info", odd),
        ("predict", odd, "-o", odd / "p.zarr", "--model", checkpoint, "--device", "cpu"),
        ("info", odd / "p.zarr"),
        ("export", odd / "p.zarr", "-o", odd / "m.png"),
        ("convert", odd, odd / "o.zarr"),
    ):
        ended = run_apart(*command, PYTHONIOENCODING="utf-8:strict")
        assert ended.code == 0 and "Traceback" not in ended.err, ended


def test_windows_need_a_display(run_apart: Run, segment: Path) -> None:
    dark = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "PATH": ""}
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    for command in (["demo"], ["open", segment], ["demo", "--headless", "x"]):
        ended = run_apart(*command, **dark)
        assert ended.code in (1, 2) and ended.out == ""
        assert ended.err.count("\n") == 1 and "display" in ended.err


def test_a_closed_pipe_is_no_error(run_apart: Run) -> None:
    program = f"{sys.executable} -m napari_ink.cli models --json | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_resume_without_a_store_starts_a_run(run: Run, segment: Path, checkpoint: Path, tmp_path: Path) -> None:
    ended = run("predict", segment, "-o", tmp_path / "p.zarr", "--model", checkpoint, "--device", "cpu", "--resume")
    assert ended.code == 0, ended


def test_a_phantom_takes_parameters(run: Run, tmp_path: Path) -> None:
    made = run(
        "phantom", tmp_path / "hard", "--seed", 4000, "--size", 48, 48, "--layers", 9, "--hard", "--set", "noise=9"
    )
    assert made.code == 0, made
    phantom = json.loads((tmp_path / "hard" / "meta.json").read_text())["phantom"]
    assert phantom["noise"] == 9 and phantom["ink_texture"] > 0 and phantom["depth_layers"] == 9


@pytest.mark.parametrize(
    ("parameter", "complaint"),
    [
        ("noise", "has no value"),
        ("loudness=3", "no parameter called loudness"),
        ("noise=-1", "noise cannot be -1"),
        ("noise=much", "noise cannot be much"),
        ("seed=3", "use --seed"),
    ],
)
def test_a_phantom_refuses_unknown_parameters(run: Run, tmp_path: Path, parameter: str, complaint: str) -> None:
    assert_refused(run("phantom", tmp_path / "ph", "--seed", 1, "--size", 48, 48, "--set", parameter), complaint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("grey", ["nan", "inf", "white"])
def test_a_grey_that_is_no_number_is_named(tmp_path: Path, run: Run, grey: str) -> None:
    ended = run("predict", tmp_path / "none.npy", "-o", tmp_path / "p.zarr", "--grey-range", grey, "9")
    assert_refused(ended, f"{grey} is no grey value")
