"""The learning rate, the precision, and several processes that train together."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.training import TrainingEnded, TrainingPair, TrainRequest, train
from napari_ink.training.learner import rate_factor
from napari_ink.training.precision import Arithmetic, choose_precision
from tests.training.small import CONFIG, CONTRACT, QUICK


@given(steps=st.integers(1, 5000), warm_up=st.floats(0, 0.5))
def test_the_rate_rises_and_falls(steps: int, warm_up: float) -> None:
    rates = [rate_factor(step, steps, warm_up) for step in range(steps + 1)]
    top = rates.index(max(rates))
    assert max(rates) == 1 and min(rates) > 0
    assert top <= steps * warm_up + 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if steps > 10:
        assert rates[-1] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ((), "fp32"),
        (("_is_amx_tile_supported",), "bf16"),
        (("_is_avx512_bf16_supported",), "bf16"),
    ],
)
def test_precision_follows_from_the_processor_and_not_from_timing(
    features: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in features, raising=False)
    for clock in ("perf_counter", "monotonic", "time"):
        monkeypatch.setattr(time, clock, lambda: pytest.fail("precision must not be timed"))
    assert choose_precision("auto", torch.device("cpu")) == expected
    assert choose_precision("fp16", torch.device("cpu")) == "fp16"
    assert choose_precision("auto", torch.device("mps")) == "fp32"


def test_an_unknown_processor_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == "fp32"


def test_precision_is_applied_in_the_network() -> None:
    layer = torch.nn.Linear(4, 4)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with Arithmetic(torch.device("cpu"), precision).autocast():
            assert layer(torch.zeros(1, 4)).dtype == dtype


def test_training_in_bf16(pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("draw_curves", "draw_examples"):
        monkeypatch.setattr(f"napari_ink.training.loop.{name}", lambda *given: None)
    settings = QUICK.model_copy(update={"precision": "bf16", "steps": 2, "validate_every": 2})
    *_, ended = train(TrainRequest([pair], tmp_path / "run", settings, CONFIG, CONTRACT))
    assert isinstance(ended, TrainingEnded)
    assert json.loads((tmp_path / "run" / "request.json").read_text())["precision_used"] == "bf16"


_TOGETHER = """
import os
import sys
import time
from pathlib import Path
import numpy as np, torch
from napari_ink.stack import open_stack
from napari_ink.training import TrainingPair, TrainRequest, Validated, StepEnded, loop
from tests.training.small import CONFIG, CONTRACT, QUICK

torch.set_num_threads(1)
loop.draw_curves = loop.draw_examples = lambda *given: None
stack, out = Path(sys.argv[1]), Path(sys.argv[2])
pair = TrainingPair(open_stack(stack), np.load(stack.with_name("labels.npy")))
request = TrainRequest([pair], out, QUICK.model_copy(update={"steps": 3}), CONFIG, CONTRACT)
learners, make = [], loop.Learner
loop.Learner = lambda *given: learners.append(make(*given)) or learners[0]
events = list(loop.train(request))
torch.save(
    {
        "weights": learners[0].network.state_dict(),
        "average": learners[0].average.module.state_dict(),
        "losses": [event.ink_loss for event in events if isinstance(event, StepEnded)],
        "scores": [event.scores.overall for event in events if isinstance(event, Validated)],
    },
    out.with_name(f"rank{os.environ['RANK']}.pt"),
)
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
def test_processes_train_one_network_together(phantom_file: Path, tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(_TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [*command, str(tmp_path / "together.py"), str(phantom_file), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=150,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    for kind in ("weights", "average"):
        # After the last step, running statistics differ between processes; the leader's are saved and used further.
        names = [name for name in first[kind] if "running_" not in name]
        assert len(names) > 50
        assert all(torch.equal(first[kind][name], second[kind][name]) for name in names)
    assert first["scores"] == second["scores"] and len(first["scores"]) == 1
    assert first["losses"] != second["losses"]  # each process learns from its own crops
    record = json.loads((tmp_path / "run" / "request.json").read_text())
    assert record["processes"] == 2
    assert sorted(path.name for path in (tmp_path / "run").glob("*.safetensors")) == [
        "best.safetensors",
        "last.safetensors",
    ]
