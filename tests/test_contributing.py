"""The worked examples for contributors do what their pages say."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ink.errors import LabelError
from napari_ink.export import mask_plane
from napari_ink.model import InputContract

CODE = Path(__file__).parents[1] / "docs/contributing/code"


def test_the_format_is_read_back_to_the_same_pixels_and_damage_is_one_sentence(tmp_path: Path) -> None:
    pgm = runpy.run_path(str(CODE / "pgm.py"))
    mask = np.random.default_rng(0).random((70, 90)) > 0.5
    pgm["write_pgm"](mask_plane(mask), tmp_path / "mask.pgm")
    plane = pgm["read_pgm"](tmp_path / "mask.pgm", None)
    assert plane.is_mask and np.array_equal(plane.whole() == 255, mask)
    for content in (b"P5 90 70 255\n", b"P2 1 1 255\n0", b"", b"P5 1\n"):
        (tmp_path / "damaged.pgm").write_bytes(content)
        with pytest.raises(LabelError, match="save it as a binary PGM"):
            pgm["read_pgm"](tmp_path / "damaged.pgm", None)


def test_the_model_family_gives_logits_for_the_sizes_of_its_weights() -> None:
    family = runpy.run_path(str(CODE / "flat_family.py"))["FAMILY"]
    config = family.config.model_validate({"model_type": "flat_mean", "patch_size": [17, 64, 64], "epochs": 3})
    contract = InputContract(mean=0.0, std=1.0, **family.contract(config))
    network = family.network(config, {"first.weight": (5, 1, 3, 3)})
    logits = network(torch.zeros(2, contract.depth_layers, contract.tile_size, contract.tile_size))
    assert logits.shape == (2, 2, 64, 64)
    assert torch.isinf(logits[:, 1]).all() and logits[:, 0].isfinite().all()
    with pytest.raises(ValueError, match="activation"):
        family.config.model_validate({"model_type": "flat_mean", "activation": "gelu", "patch_size": [17, 64, 64]})
