"""The mean of checkpoints of one run: its weights, its record, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_ink.cli import main
from napari_ink.errors import CheckpointError, OutputError
from napari_ink.model import load_model
from napari_ink.model.averaging import average_checkpoints
from tests.model.hybrid_files import config, network, pth_file, published_names
from tests.model.resnet_files import canonical_file, canonical_network
from tests.model.test_timesformer import lightning_file, small_weights


def later(weights: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Return weights as some steps of training change them."""
    torch.manual_seed(seed)
    return {
        name: one + 0.05 * torch.randn_like(one) if one.is_floating_point() else one for name, one in weights.items()
    }


def checkpoint(folder: Path, step: int, weights: dict[str, Tensor] | None = None, **changes: Any) -> Path:
    weights = later(network().state_dict(), step) if weights is None else weights
    path = pth_file(folder, network(), model=published_names(weights), step=step, **changes)
    return path.rename(folder / f"step-{step}.pth")


def test_the_mean_of_a_run_opens_like_its_checkpoints(tmp_path: Path) -> None:
    paths = [checkpoint(tmp_path, step) for step in (1000, 2000, 3000)]
    out = average_checkpoints(paths, tmp_path / "mean.pth")
    model, each = load_model(out), [load_model(path) for path in paths]
    for name, weight in model.network.state_dict().items():
        mean = torch.stack([one.network.state_dict()[name].double() for one in each]).mean(0)
        torch.testing.assert_close(weight, mean.float())
    assert model.contract == each[0].contract
    assert model.provenance["averaged"] == ["step-1000.pth", "step-2000.pth", "step-3000.pth"]
    assert model.provenance["step"] == 3000
    # Names that share memory in the files share it in the mean.
    assert out.stat().st_size < 1.2 * paths[0].stat().st_size


def test_lightning_files_without_a_configuration_average_too(tmp_path: Path) -> None:
    made, paths = canonical_network(), []
    for step in (1, 2):
        weights = {name.removeprefix("canonical."): one for name, one in later(made.state_dict(), step).items()}
        path = canonical_file(tmp_path, made, state_dict=weights, global_step=step)
        paths.append(path.rename(tmp_path / f"{step}.ckpt"))
    model = load_model(average_checkpoints(paths, tmp_path / "mean.pth"))
    assert model.contract == load_model(paths[0]).contract
    name = "canonical.decoder.logit.weight"
    pair = [load_model(path).network.state_dict()[name] for path in paths]
    torch.testing.assert_close(model.network.state_dict()[name], (pair[0] + pair[1]) / 2)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": config(seed=43)}, "of different runs .seeds 42 and 43.*average their maps"),
        ({"weights": network(seed=9).state_dict()}, r"of different runs .their weights agree to 0\.\d\d.*at chance"),
        ({"config": config(crop_size=[19, 32, 32], seed=42)}, "read different layers"),
        ({"weights": network(seed=0).state_dict() | {"network.task_heads.ink.bias": torch.zeros(1).half()}}, ""),
    ],
)
def test_checkpoints_of_different_runs_are_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    first = checkpoint(tmp_path, 1000, config=config(seed=42))
    other = checkpoint(tmp_path, 2000, **{"config": config(seed=42), **changes})
    if not named:  # half precision is no other network
        average_checkpoints([first, other], tmp_path / "mean.pth")
        return
    with pytest.raises(CheckpointError, match=named) as caught:
        average_checkpoints([first, other], tmp_path / "mean.pth")
    assert "step-1000.pth and step-2000.pth" in str(caught.value) and not (tmp_path / "mean.pth").exists()


def test_other_networks_and_outputs_are_refused(tmp_path: Path) -> None:
    first = checkpoint(tmp_path, 1000)
    other = canonical_file(tmp_path, canonical_network())
    with pytest.raises(CheckpointError, match="of different networks.*average their maps"):
        average_checkpoints([first, other], tmp_path / "mean.pth")
    with pytest.raises(CheckpointError, match="at least two"):
        average_checkpoints([first], tmp_path / "mean.pth")
    with pytest.raises(OutputError, match=r"does not end in \.pth"):
        average_checkpoints([first, first], tmp_path / "mean.ckpt")
    with pytest.raises(OutputError, match="exists already"):
        average_checkpoints([first, first], first)
    with pytest.raises(CheckpointError, match="TimeSformer"):
        average_checkpoints([first, lightning_file(tmp_path, small_weights())], tmp_path / "mean.pth")


def test_weights_that_are_not_finite_have_no_mean(tmp_path: Path) -> None:
    weights = later(network().state_dict(), 1)
    weights["network.task_heads.ink.bias"] = torch.full_like(weights["network.task_heads.ink.bias"], torch.nan)
    paths = [checkpoint(tmp_path, 1000), checkpoint(tmp_path, 2000, weights)]
    with pytest.raises(CheckpointError, match=r"infinite or not a number, in network\.task_heads\.ink\.bias"):
        average_checkpoints(paths, tmp_path / "mean.pth")
    assert not (tmp_path / "mean.pth").exists()


def test_seeds_that_are_no_plain_values_tell_nothing(tmp_path: Path) -> None:
    seeds = torch.zeros(3), torch.ones(3)
    paths = [checkpoint(tmp_path, step, config=config(seed=seed)) for step, seed in enumerate(seeds, 1)]
    assert average_checkpoints(paths, tmp_path / "mean.pth").exists()


def test_the_command_writes_the_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(checkpoint(tmp_path, step)) for step in (1000, 2000)]
    out = tmp_path / "mean.pth"
    assert main(["models", *paths, "--average", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert main(["models", str(out)]) == 0
    assert main(["models", *paths, "--average", str(out)]) != 0
