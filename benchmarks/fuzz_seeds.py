"""Small valid inputs of every supported format, which `fuzz.py` damages; each is in a separate folder."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import tifffile
import torch
import zarr
from PIL import Image
from torch import nn

from napari_ink.annotation import create_project
from napari_ink.export import INK_LABELS, write_label_values, write_mask
from napari_ink.model import InkEdgeConfig, InputContract, load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, predict
from napari_ink.stack import convert, open_stack

SHAPE = (8, 70, 90)
PLANE = SHAPE[1:]
CONTRACT = {"depth_layers": 8, "min_depth_layers": 2, "mean": 0.5, "std": 0.3, "voxel_size_um": None, "tile_size": 64}


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid input.

    Attributes
    ----------
    kind
        Name for `--kinds`.
    role
        Use in a command: stack, labels, prediction, project, model, list or conversion.
    main
        Path below the seed's folder that a command gets; ``FILE.h5::DATASET`` too.
    build
        Function that writes it into a folder.
    """

    kind: str
    role: str
    main: str
    build: Callable[[Path], object]


def grey(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return grey values, uint16."""
    return np.random.default_rng(seed).integers(0, 60000, shape, dtype=np.uint16)


def labels() -> np.ndarray:
    """Return label values 0, 1 and 2 in blocks."""
    return np.kron(np.random.default_rng(1).integers(0, 3, (7, 9)), np.ones((10, 10))).astype(np.uint8)


def _tiff_folder(folder: Path, **how: object) -> None:
    (folder / "layers").mkdir()
    for z, layer in enumerate(grey()):
        tifffile.imwrite(folder / "layers" / f"{z:02}.tif", layer, **how)  # type: ignore[arg-type]


def _pictures(folder: Path, suffix: str) -> None:
    for z, layer in enumerate(grey()):
        values = layer if suffix == "png" else (layer >> 8).astype(np.uint8)
        Image.fromarray(values).save(folder / f"{z:02}.{suffix}")


def _segment(folder: Path) -> None:
    """Write a segment in villa's published layout: layers, meta.json, a mask, and labels beside them."""
    _tiff_folder(folder)
    meta = {"type": "seg", "uuid": "seg", "voxelsize": 7.91, "name": "seg", "scale": [1, 1], "bbox": [[0, 0, 0]]}
    (folder / "meta.json").write_text(json.dumps(meta))
    Image.fromarray(np.where(labels() > 0, 255, 0).astype(np.uint8)).save(folder / "s_mask.png")
    Image.fromarray(np.where(labels() > 1, 255, 0).astype(np.uint8)).save(folder / "s_inklabels.png")


def _nrrd(folder: Path, name: str, encoding: str) -> None:
    import nrrd

    nrrd.write(str(folder / name), grey().T, {"encoding": encoding, "spacings": [7.91] * 3})


def _hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "s.h5", "w") as file:
        file.create_dataset("exported_data", data=grey(), chunks=(1, 64, 64), compression="gzip")
        file.create_dataset("beside", data=np.arange(9.0))
        file["link"] = h5py.SoftLink("/exported_data")


def _zarr_array(path: Path | object, **how: object) -> None:
    array = zarr.create_array(store=path, shape=SHAPE, dtype="uint16", **how)  # type: ignore[arg-type]
    array[:] = grey()


def _zarr_zip(folder: Path) -> None:
    store = zarr.storage.ZipStore(folder / "s.zarr.zip", mode="w")
    _zarr_array(store, chunks=(8, 32, 32))
    store.close()


def _npy_stack(folder: Path) -> Path:
    np.save(folder / "s.npy", grey())
    return folder / "s.npy"


def _converted(folder: Path) -> None:
    for _ in convert(open_stack(_npy_stack(folder)), folder / "out.zarr"):
        pass


def _half_converted(folder: Path) -> None:
    _tiff_folder(folder, compression="zlib")
    events = convert(open_stack(folder / "layers"), folder / "out.zarr")
    list(islice(events, 6))
    events.close()


def save_model(folder: Path) -> Path:
    """Write a tiny checkpoint of our own format."""
    torch.manual_seed(0)
    config = InkEdgeConfig(stem_channels=(2, 2), dims=4, heads=1, num_layers=1, decoder_dim=8)
    network = InkEdgeNetwork(config)
    thresholds = {"thresholds": {"ink": 0.2, "edge": 0.3}}
    return save_checkpoint(
        folder / "m.safetensors", network, config, InputContract.model_validate(CONTRACT), thresholds
    )


def _prediction(folder: Path, most_events: int | None = None) -> None:
    model = load_model(save_model(folder))
    request = PredictRequest(open_stack(_npy_stack(folder)), model, folder / "p.zarr", device="cpu", batch_size=1)
    events = predict(request)
    list(islice(events, most_events))
    events.close()


def _project(folder: Path, is_closed: bool = True) -> None:
    project = create_project(folder / "s.ink", open_stack(_npy_stack(folder)))
    values = labels()
    for y in range(0, 60, 20):
        project.annotation.apply([("ink", y, 0, values[y : y + 20]), ("edge", y, 0, values[y : y + 9])], "stroke")
    project.annotation.undo()
    project.versions.save("first")
    project.annotation.apply([("ink", 3, 3, values[:9, :9])], "fill")
    project.save_view({"centre": [3, 4], "zoom": 2.0})
    if is_closed:
        project.close()
        return
    shutil.copytree(folder / "s.ink", folder / "copy")  # as after a crash: the journal is not empty
    project.close()
    shutil.rmtree(folder / "s.ink")
    (folder / "copy").rename(folder / "s.ink")


class _Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean grey as ink, and its complement as edge."""
        mean = x.mean(dim=1)
        return torch.stack([mean, 1 - mean], dim=1)


def _foreign(folder: Path, suffix: str) -> None:
    example = torch.rand(2, 8, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if suffix == "pt":
            torch.jit.trace(_Mean(), example).save(str(folder / "m.pt"))
        else:
            axes = {"in": {0: "b", 2: "y", 3: "x"}}
            torch.onnx.export(
                _Mean(),
                (example,),
                str(folder / "m.onnx"),
                dynamo=False,
                opset_version=17,
                input_names=["in"],
                dynamic_axes=axes,
            )
    contract = {"input": {**CONTRACT, "min_depth_layers": 8, "tile_size": 32}, "edge": 1, "values": "probabilities"}
    (folder / "m.contract.json").write_text(json.dumps(contract))


def _lightning(folder: Path) -> None:
    """Write a checkpoint in Lightning's format, with a very small TimeSformer in it."""
    from napari_ink.model.timesformer import TimeSformer, TimeSformerSizes

    torch.manual_seed(0)
    network = TimeSformer(TimeSformerSizes(dim=32, depth=1))
    weights = {f"backbone.{name}": value for name, value in network.state_dict().items()}
    content = {"epoch": 3, "state_dict": weights, "hyper_parameters": {"lr": 0.1}, "optimizer_states": []}
    torch.save(content, folder / "m.ckpt")


def _mask(folder: Path, name: str) -> None:
    write_mask(labels() == 2, folder / name)


def _label_values(folder: Path, name: str) -> None:
    write_label_values(labels(), folder / name, names=INK_LABELS)


def _palette(folder: Path) -> None:
    image = Image.fromarray(labels())
    image.putpalette([0, 0, 0, 90, 60, 30, 200, 30, 30])
    image.save(folder / "l.png")


def _list(folder: Path) -> None:
    _npy_stack(folder)
    np.save(folder / "t.npy", grey(1)[:, :40, :40])
    (folder / "stacks.txt").write_text(f"# two\n{folder / 's.npy'}\n\n{folder / 't.npy'}\n")


def _seeds() -> list[Seed]:
    def stack(kind: str, main: str, build: Callable[[Path], object]) -> Seed:
        return Seed(kind, "stack", main, build)

    def plane(kind: str, name: str, values: bool = False) -> Seed:
        write = _label_values if values else _mask
        return Seed(kind, "labels", name, lambda folder: write(folder, name))

    return [
        stack("tiff", "layers", _tiff_folder),
        stack("tiff", "layers", lambda f: _tiff_folder(f, compression="zlib", rowsperstrip=16)),
        stack("tiff", "layers", lambda f: _tiff_folder(f, compression="lzw", tile=(32, 32), predictor=True)),
        stack("tiff", "layers", lambda f: _tiff_folder(f, byteorder=">", photometric="miniswhite")),
        stack("tiff-pages", "s.tif", lambda f: tifffile.imwrite(f / "s.tif", grey(), photometric="minisblack")),
        stack("tiff-pages", "s.tif", lambda f: tifffile.imwrite(f / "s.tif", grey(), imagej=True)),
        stack("tiff-pages", "s.tif", lambda f: tifffile.imwrite(f / "s.tif", grey(), bigtiff=True, compression="zstd")),
        stack("tiff-pages", "s.ome.tif", lambda f: tifffile.imwrite(f / "s.ome.tif", grey(), metadata={"axes": "ZYX"})),
        stack("png", ".", lambda f: _pictures(f, "png")),
        stack("jpeg", ".", lambda f: _pictures(f, "jpg")),
        stack("segment", ".", _segment),
        stack("npy", "s.npy", _npy_stack),
        stack("nrrd", "s.nrrd", lambda f: _nrrd(f, "s.nrrd", "gzip")),
        stack("nrrd", "s.nrrd", lambda f: _nrrd(f, "s.nrrd", "raw")),
        stack("nrrd", "s.nhdr", lambda f: _nrrd(f, "s.nhdr", "raw")),
        stack("hdf5", "s.h5::exported_data", _hdf5),
        stack("hdf5", "s.h5", _hdf5),
        stack("zarr2", "s.zarr", lambda f: _zarr_array(f / "s.zarr", zarr_format=2, chunks=(8, 32, 32))),
        stack(
            "zarr2",
            "s.zarr",
            lambda f: _zarr_array(
                f / "s.zarr",
                zarr_format=2,
                chunks=(4, 64, 64),
                compressors=zarr_gzip(),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            ),
        ),
        stack("zarr3", "s.zarr", lambda f: _zarr_array(f / "s.zarr", chunks=(8, 32, 32))),
        stack("zarr3", "s.zarr", lambda f: _zarr_array(f / "s.zarr", chunks=(2, 16, 16), shards=(8, 64, 64))),
        stack("zarr3", "s.zarr", lambda f: _zarr_array(f / "s.zarr", chunks=(8, 32, 32), compressors=None)),
        stack("zarr-zip", "s.zarr.zip", _zarr_zip),
        stack("ome-zarr", "out.zarr", _converted),
        Seed("conversion", "conversion", "layers", _half_converted),
        *(plane("labels-" + suffix, f"l.{suffix}") for suffix in ("png", "tif", "npy", "zarr")),
        *(plane("labels-" + suffix, f"l.{suffix}", values=True) for suffix in ("png", "tif", "npy", "zarr")),
        plane("labels-zarr", "s_inklabels.zarr"),
        Seed("labels-png", "labels", "l.png", _palette),
        Seed("labels-png", "labels", "l.png", lambda f: Image.fromarray(labels() == 2).save(f / "l.png")),
        Seed(
            "labels-tif",
            "labels",
            "l.tif",
            lambda f: tifffile.imwrite(f / "l.tif", labels() == 2, photometric="miniswhite", compression="deflate"),
        ),
        plane("csv", "l.csv"),
        plane("geojson", "l.geojson"),
        plane("svg", "l.svg"),
        plane("coco", "l.json"),
        Seed("prediction", "prediction", "p.zarr", _prediction),
        Seed("prediction", "prediction", "p.zarr", lambda f: _prediction(f, 3)),
        Seed("project", "project", "s.ink", _project),
        Seed("project", "project", "s.ink", lambda f: _project(f, is_closed=False)),
        Seed("safetensors", "model", "m.safetensors", save_model),
        Seed("torchscript", "model", "m.pt", lambda f: _foreign(f, "pt")),
        Seed("onnx", "model", "m.onnx", lambda f: _foreign(f, "onnx")),
        Seed("lightning", "model", "m.ckpt", _lightning),
        Seed("list", "list", "stacks.txt", _list),
    ]


def zarr_gzip() -> object:
    """Return the gzip codec of Zarr 2."""
    import numcodecs

    return numcodecs.GZip(level=1)


SEEDS = _seeds()
KINDS = tuple(dict.fromkeys(seed.kind for seed in SEEDS))


def build_all(corpus: Path) -> None:
    """Write every seed into ``corpus/<number>``, and other files that commands need into ``corpus/helpers``."""
    for number, seed in enumerate(SEEDS):
        folder = corpus / str(number)
        folder.mkdir()
        seed.build(folder)
    helpers = corpus / "helpers"
    helpers.mkdir()
    _npy_stack(helpers)
    save_model(helpers)
    Image.fromarray(np.random.default_rng(2).integers(0, 255, PLANE, dtype=np.uint8)).save(helpers / "ink.png")
    _mask(helpers, "truth.png")
