"""ONNX: running models in this format with onnxruntime, and exporting our networks to it."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from napari_ink.decoding import check_memory, check_regular, decoder_errors
from napari_ink.durable import replacing
from napari_ink.errors import CheckpointError, OutputError
from napari_ink.model.cards import InkModel


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CheckpointError(
            f"ONNX needs the package {name}, which is not here; install it with `pip install napari-ink[onnx]`."
        ) from error


class OnnxNetwork(nn.Module):
    """A network that onnxruntime runs.

    Parameters
    ----------
    path
        An ONNX file with all its weights inside, one input of float32 and one output.

    Raises
    ------
    CheckpointError
        If onnxruntime is missing, cannot read the file, or the model has several inputs.
    """

    has_own_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        runtime = _package("onnxruntime")
        self._name = path.name
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = max(torch.get_num_threads() - 1, 1)  # leaves a core for the window
        size = check_regular(path, CheckpointError)
        check_memory(2 * size, CheckpointError, path, "free some, or choose another model")
        with decoder_errors(CheckpointError, path, "export it again"):
            # Bytes instead of a path: then no other file is read, and the hash of this one identifies the model.
            self._session = runtime.InferenceSession(
                path.read_bytes(), sess_options=options, providers=_providers(runtime)
            )
            inputs = [(value.name, value.type) for value in self._session.get_inputs()]
        if len(inputs) != 1 or inputs[0][1] != "tensor(float)":
            kinds = ", ".join(f"{name} ({kind})" for name, kind in inputs)
            raise CheckpointError(f"{path} reads {kinds or 'nothing'}, not one array of float32; export it again.")
        self._input = inputs[0][0]

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Run the model on float32 input; several outputs come as a list.

        Raises
        ------
        CheckpointError
            If the model fails on the input.
        """
        given = x.detach().cpu().numpy()
        where = f"Tiles of {tuple(x.shape)} given to {self._name}"
        with decoder_errors(CheckpointError, where, "correct its contract file"):
            outputs = self._session.run(None, {self._input: given})
            tensors = [torch.from_numpy(output).to(x.device) for output in outputs]
        return tensors[0] if len(tensors) == 1 else tensors


def _providers(runtime: ModuleType) -> list[str]:
    there = runtime.get_available_providers()
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]


def export_onnx(model: InkModel, path: str | os.PathLike[str]) -> Path:
    """Write a model's network as ONNX, for other programs.

    It reads float32 ``(batch, z, y, x)`` called ``stack``, prepared as the contract says, and gives ``logits``
    ``(batch, 2, y, x)``: ink, edge. Batch, height and width are free, the latter two in multiples of the network's
    ``size_divisor``; the number of layers is the contract's.

    Raises
    ------
    OutputError
        If the name does not end in .onnx, or the file cannot be written.
    CheckpointError
        If the package that torch writes ONNX with is missing.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise OutputError(f"An ONNX file's name ends in .onnx, and {path.name} does not; rename it.")
    _package("onnx")
    with replacing(path) as partial:
        _write(model, partial)
    return path


def _write(model: InkModel, path: Path) -> None:
    divisor = int(getattr(model.network, "size_divisor", 1))
    side = max(64 // divisor, 2) * divisor
    tile = torch.zeros(2, model.contract.depth_layers, side, side)
    free = {0: "batch", 2: "y", 3: "x"}
    with warnings.catch_warnings():
        # The newer exporter takes fifteen times as long and needs another package, for the same results.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.network.eval(),
            (tile,),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["stack"],
            output_names=["logits"],
            dynamic_axes={"stack": free, "logits": free},
        )
