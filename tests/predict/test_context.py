"""Context: pixels around a tile that a network reads but does not predict, so that maps have no seams."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_ink.errors import BadInputError, ContractError
from napari_ink.model import InkEdgeConfig, InkModel
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, open_prediction
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from napari_ink.stack import DepthStack, open_stack
from tests.predict.stand_ins import Smear, ink_model, make_stack, run

WIDTH = 64
BORDER = 32


def maps(request: PredictRequest) -> np.ndarray:
    """Return the stored maps of a run, ``(2, y, x)``."""
    run(request)
    prediction = open_prediction(request.out)
    return np.stack([prediction.read("ink"), prediction.read("edge")]).astype(int)


def small_model(tile_size: int, context: int) -> InkModel:
    """Return a narrow network of ours with random weights and attention that reaches one coarse cell."""
    torch.manual_seed(0)
    config = InkEdgeConfig(
        stem_channels=(4, 4), dims=8, heads=2, ff_expansion=2, num_layers=1, decoder_dim=16, attention_reach=1
    )
    network = InkEdgeNetwork(config).eval()
    torch.nn.init.normal_(network.heads.weight, std=20.0)  # so that outputs vary
    contract = ink_model(Smear(), tile_size, context_px=context).contract
    return InkModel("small", network, config, contract, {}, "1" * 64)


def mirrored_around(planes: Tensor, border: int) -> Tensor:
    """Return planes ``(c, y, x)`` with a mirrored border, as a batch of one."""
    return torch.from_numpy(np.pad(planes.numpy(), [(0, 0), (border, border), (border, border)], mode="symmetric"))[
        None
    ]


@torch.inference_mode()
def in_one_piece(stack: DepthStack, model: InkModel, border: int) -> np.ndarray:
    """Return a network's output on a whole segment, around which the planes of the stem are mirrored."""
    shape = stack.shape[1:]
    values = model.contract.prepare(stack.read(model.contract.z_window(stack.shape[0]), *Region.whole(shape).slices))
    # The extent of tiles: rows and columns up to a multiple of the coarsest step, and the stem's own four around them.
    tiled = np.pad(values, [(0, 0), *((0, -length % 32) for length in shape)], mode="symmetric")
    half, quarter = model.network.stem(
        torch.from_numpy(np.pad(tiled, [(0, 0), (4, 4), (4, 4)], mode="symmetric"))[None]
    )
    wide = [
        mirrored_around(plane[0, :, 4 // step : -4 // step, 4 // step : -4 // step], border // step)
        for plane, step in ((half, 2), (quarter, 4))
    ]
    maps = torch.sigmoid(model.network.after_stem(*wide))[0].numpy()
    return 255 * maps[:, border : border + shape[0], border : border + shape[1]]


@settings(max_examples=6, deadline=None)
@given(
    shape=st.tuples(st.integers(30, 700), st.integers(30, 500)),
    tile_size=st.sampled_from([448, 512]),
    batch_size=st.integers(1, 3),
)
def test_tiles_equal_the_network_on_the_whole_segment(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], tile_size: int, batch_size: int
) -> None:
    folder = tmp_path_factory.mktemp("context")
    model = small_model(tile_size, 192)
    stack = make_stack(folder, (6, *shape))
    request = PredictRequest(stack, model, folder / "p.zarr", device="cpu", batch_size=batch_size)
    expected = in_one_piece(stack, model, 192)
    assert expected.std() > 1
    assert np.abs(maps(request) - expected).max() <= 0.5 + 0.5


class BlurInReach(nn.Module):
    """A blur that reaches exactly `reach` pixels; zeros are beyond a tile."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.blur = nn.Conv2d(1, 2, 2 * reach + 1, padding=reach, bias=False)
        torch.manual_seed(1)
        nn.init.normal_(self.blur.weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.blur(x.amax(dim=1, keepdim=True))
        return logits


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    reach=st.integers(1, 8),
    tile_size=st.sampled_from([32, 48, 64]),
    overlap=st.sampled_from([None, 0.5]),
    augment=st.sampled_from([(), ("flips",)]),
)
def test_maps_do_not_depend_on_tiles_if_the_context_covers_the_reach(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    reach: int,
    tile_size: int,
    overlap: float | None,
    augment: tuple[str, ...],
) -> None:
    folder = tmp_path_factory.mktemp("context")
    stack, network = make_stack(folder, (6, *shape)), BlurInReach(reach)
    model = ink_model(network, tile_size, context_px=8)
    request = PredictRequest(stack, model, folder / "p.zarr", device="cpu", overlap=overlap, augment=augment)
    values = model.contract.prepare(stack.read(model.contract.z_window(6), *Region.whole(shape).slices))
    # Tiles end at a multiple of 8; there the context is mirrored again.
    tiled = np.pad(values, [(0, 0), *((0, -length % 8) for length in shape)], mode="symmetric")
    padded = mirrored_around(torch.from_numpy(tiled), 8)
    with torch.inference_mode():
        flips = ((), (-1,), (-2,), (-2, -1)) if augment else ((),)
        turned = [network(padded.flip(axes)).flip(axes) for axes in flips]
    expected = torch.stack([torch.sigmoid(one) for one in turned]).mean(0)[0, :, 8 : 8 + shape[0], 8 : 8 + shape[1]]
    assert np.abs(maps(request) - 255 * expected.numpy()).max() <= 0.5 + 0.2


def test_a_stack_that_is_constant_in_the_plane_gives_a_constant_map(tmp_path: Path) -> None:
    greys = np.random.default_rng(0).integers(0, 65535, (6, 1, 1), np.uint16)
    np.save(tmp_path / "constant.npy", np.broadcast_to(greys, (6, 700, 450)))
    stack = open_stack(tmp_path / "constant.npy")
    found = maps(PredictRequest(stack, small_model(448, 96), tmp_path / "p.zarr", device="cpu"))
    assert np.ptp(found, axis=(1, 2)).max() <= 2
    assert found.std() > 0, "ink and edges are equal: nothing is predicted"


@given(
    shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    side=st.sampled_from([128, 256, 704]),
    context=st.sampled_from([0, 32]),
)
def test_tiles_with_a_context_cover_the_segment_with_the_fewest_pixels(
    shape: tuple[int, int], side: int, context: int
) -> None:
    grid = tile_grid(shape, side, 32, 0.0, 32, context)
    covered = np.zeros(shape, np.uint8)
    rows = list(grid.rows(Region.whole(shape)))
    for row in rows:
        for tile in row:
            covered[tile.slices] += 1
            assert tile.y0 % 32 == tile.x0 % 32 == 0
            read = grid.read_area(tile)
            assert read.within(Region.whole(grid.canvas)) == read
    assert covered.min() == 1
    if context:
        assert len(rows) == math.ceil(shape[0] / (side - 64)) and len(rows[0]) == math.ceil(shape[1] / (side - 64))
        assert all(made <= side and made % 32 == 0 for made in grid.tile)
        again = tile_grid(shape, max(grid.tile), 32, 0.0, 32, context)
        assert again == grid, "a resumed run has other tiles"


def test_a_context_as_large_as_a_tile_is_refused(tmp_path: Path) -> None:
    model = ink_model(Smear(), 64, context_px=16)
    request = PredictRequest(make_stack(tmp_path, (6, 90, 90)), model, tmp_path / "p.zarr", device="cpu", tile_size=32)
    with pytest.raises(BadInputError, match="32 pixels leave nothing beside the 16 pixels of context.*at least 40"):
        run(request)
    with pytest.raises(ContractError, match="context"):
        model.contract.changed(context_px=32)
