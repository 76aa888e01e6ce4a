"""Damaged files of each published layout: one sentence says what is wrong, from the command line, too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_ink.cli import main
from napari_ink.errors import CheckpointError
from napari_ink.model import load_model
from napari_ink.model.published import WEIGHTS as ENTRIES
from tests.model.field_files import LAYOUTS

Weights = dict[str, Tensor]
Change = Callable[[Weights], Weights]


def rewritten(path: Path, change: Change) -> None:
    """Write a model file again with changed weights."""
    if path.suffix == ".safetensors":
        save_file({name: one.contiguous() for name, one in change(load_file(path)).items()}, path)
        return
    content: dict[str, Any] = torch.load(path, weights_only=False)
    entry = next(entry for entry in ENTRIES if entry in content)
    torch.save({**content, entry: change(content[entry])}, path)


def each(change: Callable[[Tensor], Tensor]) -> Change:
    return lambda weights: {name: change(one) if one.is_floating_point() else one for name, one in weights.items()}


def one_more(name: str) -> Change:
    return lambda weights: {**weights, name: torch.zeros(3)}


def without_last(weights: Weights) -> Weights:
    """Drop the last weight that counts, under both of its names."""
    kept = [name for name in weights if ".fc." not in name and "aux_head" not in name and "num_batches" not in name]
    last = kept[-1].replace(".all_modules.0.", ".conv.").replace(".all_modules.1.", ".norm.")
    twice = (last, last.replace(".conv.", ".all_modules.0."), last.replace(".norm.", ".all_modules.1."))
    return {name: one for name, one in weights.items() if name not in twice}


UNREADABLE = "no numbers in|sizes do not fit|not laid out like|looked for"
DAMAGES: dict[str, tuple[Change, str]] = {
    "NaN": (each(lambda one: torch.full_like(one, torch.nan)), "numbers that are infinite or not a number, in "),
    "infinite": (each(lambda one: torch.full_like(one, torch.inf)), "numbers that are infinite or not a number, in "),
    "whole numbers": (each(lambda one: one.to(torch.int64)), "as int64, and only floating-point weights are read"),
    "complex": (each(lambda one: one.to(torch.complex64)), "as complex64, and only floating-point weights are read"),
    "bool": (each(lambda one: one.bool()), "as bool, and only floating-point weights are read"),
    "flat": (each(lambda one: one.reshape(-1).clone()), UNREADABLE),
    "empty": (each(lambda one: one.reshape(-1)[:0].clone()), UNREADABLE),
    "single numbers": (each(lambda _: torch.zeros(())), UNREADABLE),
    "twice as wide": (each(lambda one: torch.cat([one, one]) if one.dim() else one), UNREADABLE),
    "one more": (one_more("extra.weight"), r"\(unknown: (canonical\.)?extra\.weight\)"),
    "one less": (without_last, "missing: |looked for "),
    "a long name": (one_more("a" * 10_000), r"\(unknown: [a.cnoil]{79}…\)"),
    "an escape sequence": (one_more("\x1b[31m\r\nred\u202e"), r"\(unknown: (canonical\.)?\?\[31m\?\?red\?\)"),
    "other names": (
        lambda weights: {f"net.{name}": one for name, one in weights.items()},
        "looked for|with net",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder) -> None:
    path = LAYOUTS[name].write(tmp_path, True)
    whole = path.read_bytes()
    for change, said in DAMAGES.values():
        path.write_bytes(whole)
        rewritten(path, change)
        with pytest.raises(CheckpointError, match=said) as caught:
            load_model(path)
        sentence = str(caught.value)
        assert sentence.isprintable() and len(sentence) < 600 + len(str(path))
    assert not [one for one in recwarn if "zero-element" in str(one.message)]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("change", [each(Tensor.double), each(Tensor.bfloat16)])
def test_floating_point_weights_of_any_width_are_read(tmp_path: Path, name: str, change: Change) -> None:
    path = LAYOUTS[name].write(tmp_path, True)
    rewritten(path, change)
    assert {one.dtype for one in load_model(path).network.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_part_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    path = LAYOUTS[name].write(tmp_path, True)
    content = path.read_bytes()
    for length in (0, 8, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError) as caught:
            load_model(path)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["ink_9um", "timesformer bare"])
def test_the_commands_say_it_and_end(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = LAYOUTS[name].write(tmp_path, True)
    rewritten(path, each(lambda one: one.to(torch.complex64)))
    np.save(tmp_path / "segment.npy", np.zeros((65, 64, 64), np.uint8))
    out = tmp_path / "p.zarr"
    for words in (("models", path), ("predict", tmp_path / "segment.npy", "-o", out, "--model", path)):
        capfd.readouterr()
        assert main([str(word) for word in words]) == 2
        told = capfd.readouterr().err
        assert told.count("\n") == 1 and "as complex64" in told
    assert not out.exists()
