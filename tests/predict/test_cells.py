"""Cells: they cover the canvas once, equal the stem on the whole segment, and are dropped when not needed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.model import InkEdgeConfig, InkModel, load_model
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, TilePredicted, open_prediction, predict
from napari_ink.predict.blending import weight_map
from napari_ink.predict.cells import CellGrid, CellStore
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from tests.predict.stand_ins import Smear, ink_model, make_stack, run


@given(
    canvas=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    side=st.sampled_from([64, 128, 256]),
    halo=st.sampled_from([0, 4]),
)
def test_cells_cover_the_canvas_once(canvas: tuple[int, int], side: int, halo: int) -> None:
    canvas = canvas[0] * 4, canvas[1] * 4
    grid = CellGrid(canvas, side, halo)
    count = np.zeros(canvas, int)
    for cell in grid.touching(Region.whole(canvas)):
        area, read = grid.area(cell), grid.read_area(cell)
        count[area.slices] += 1
        assert area.y0 % 4 == area.x0 % 4 == 0
        assert area.within(read) == area and read.within(Region.whole(canvas)) == read
        for begin, end, first, last, length in (
            (area.y0, area.y1, read.y0, read.y1, canvas[0]),
            (area.x0, area.x1, read.x0, read.x1, canvas[1]),
        ):
            assert first == max(begin - halo, 0) and last == min(end + halo, length)
            assert last % side == 0 or last == length, "more than one part of a file is read for one cell"
    assert (count == 1).all()


@given(data=st.data(), canvas=st.tuples(st.integers(300, 900), st.integers(300, 900)))
def test_the_cells_of_a_tile_are_those_that_it_touches(data: st.DataObject, canvas: tuple[int, int]) -> None:
    grid = CellGrid(canvas, 128, 0)
    y, x = data.draw(st.integers(0, canvas[0] - 256)), data.draw(st.integers(0, canvas[1] - 256))
    tile = Region(y, y + 256, x, x + 256)
    everywhere = grid.touching(Region.whole(canvas))
    assert grid.touching(tile) == [cell for cell in everywhere if grid.area(cell).touches(tile)]


def test_cells_are_kept_while_tiles_need_them_and_memory_allows() -> None:
    grid = CellGrid((128, 256), 64, 0)
    tiles = [Region(0, 128, 0, 128), Region(0, 128, 64, 192), Region(0, 128, 128, 256)]
    store = CellStore(grid, tiles, most_bytes=10_000)
    for cell in grid.touching(tiles[0]):
        store.planes(cell, lambda: (torch.zeros(100),))
    store.release([tiles[0]])
    assert (0, 0) not in store and (0, 1) in store and store.nbytes == 2 * 400
    small = CellStore(grid, tiles, most_bytes=500)
    for cell in grid.touching(tiles[1]):
        assert len(small.planes(cell, lambda: (torch.zeros(100),))[0]) == 100
    assert small.nbytes == 400


def random_model(tile_size: int) -> InkModel:
    torch.manual_seed(0)
    config = InkEdgeConfig.tiny()
    network = InkEdgeNetwork(config).eval()
    torch.nn.init.normal_(network.heads.weight, std=2.0)  # so that outputs vary
    return InkModel("random", network, config, ink_model(Smear(), tile_size).contract, {}, "1" * 64)


@torch.inference_mode()
def with_the_stem_over_the_whole_segment(request: PredictRequest) -> np.ndarray:
    """Run the stem once over the whole segment, the rest on tiles cut from its planes, and blend in float64."""
    stack, network, contract = request.stack, request.model.network, request.model.contract
    shape = stack.shape[1:]
    grid = tile_grid(shape, contract.tile_size, network.size_divisor, request.overlap, 4)
    volume = contract.prepare(stack.read(contract.z_window(stack.shape[0]), *Region.whole(shape).slices))
    beyond = [(0, 0), *((0, wide - n) for wide, n in zip(grid.canvas, shape, strict=True))]
    half, quarter = network.stem(torch.from_numpy(np.pad(volume, beyond, mode="symmetric"))[None])
    weights = weight_map(grid).astype(float)
    total, count = np.zeros((2, *grid.canvas)), np.zeros(grid.canvas)
    for row in grid.rows(Region.whole(shape)):
        for tile in row:
            here = grid.read_area(tile)
            y, x = here.slices
            planes = [
                plane[:, :, y.start // step : y.stop // step, x.start // step : x.stop // step]
                for plane, step in ((half, 2), (quarter, 4))
            ]
            probability = torch.sigmoid(network.after_stem(*planes))[0].numpy().astype(float)
            total[:, y, x] += weights * probability
            count[y, x] += weights
    return 255 * (total / count)[:, : shape[0], : shape[1]]


@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(st.integers(20, 600), st.integers(20, 420)),
    tile_size=st.sampled_from([64, 96, 160]),
    overlap=st.sampled_from([0.0, 0.25, 0.5]),
    batch_size=st.integers(1, 3),
)
def test_the_stem_on_cells_equals_the_stem_on_the_whole_segment(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], tile_size: int, overlap: float, batch_size: int
) -> None:
    folder = tmp_path_factory.mktemp("stem")
    request = PredictRequest(
        make_stack(folder, (7, *shape)),
        random_model(tile_size),
        folder / "p.zarr",
        device="cpu",
        overlap=overlap,
        batch_size=batch_size,
    )
    run(request)
    prediction = open_prediction(request.out)
    stored = np.stack([prediction.read("ink"), prediction.read("edge")])
    expected = with_the_stem_over_the_whole_segment(request)
    assert expected.std() > 1
    assert np.abs(stored - expected).max() < 0.5 + 0.15


def test_tiles_of_our_own_models_include_their_surroundings(tmp_path: Path) -> None:
    # Beyond the segment, cells mirror the planes of the stem, and whole tiles grey values: almost no difference
    # away from its border.
    model = load_model()
    request = PredictRequest(make_stack(tmp_path, (40, 600, 600)), model, tmp_path / "p.zarr", device="cpu")
    run(request)
    plain = replace(request, out=tmp_path / "plain.zarr", model=replace(model, network=Wrapped(model.network)))
    run(plain)
    ours, theirs = (open_prediction(one.out).read("ink").astype(int) for one in (request, plain))
    assert np.abs(ours - theirs)[128:-128, 128:-128].mean() < 1.0


class Wrapped(torch.nn.Module):
    """Hides the type of a network, so that whole tiles pass through it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network, self.size_divisor = network, network.size_divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(x)
        return logits


@pytest.mark.parametrize("model", [random_model(96), ink_model(Smear(), 96)], ids=["own", "other"])
@pytest.mark.parametrize(("batch_size", "cores"), [(1, 1), (3, 1), (1, 4)])
def test_each_voxel_is_read_once(tmp_path: Path, model: InkModel, batch_size: int, cores: int) -> None:
    stack = make_stack(tmp_path, (5, 600, 500))
    count = np.zeros(stack.shape[1:], int)

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        count[y, x] += 1
        return stack.read_block(z, y, x, step)

    watched = replace(stack, read_block=read_block)
    watched.__dict__["_samples"] = stack._samples
    request = PredictRequest(watched, model, tmp_path / "p.zarr", device="cpu", overlap=0.5)
    run(replace(request, batch_size=batch_size, cores=cores))
    assert count.min() == 1
    # The stem also reads four rows and columns around a cell.
    assert count.mean() < (1.09 if isinstance(model.network, InkEdgeNetwork) else 1.0001)


def test_a_lack_of_memory_for_cells_does_not_change_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = PredictRequest(make_stack(tmp_path, (7, 400, 300)), random_model(96), tmp_path / "p.zarr", device="cpu")
    run(request)
    monkeypatch.setattr(CellStore.__init__, "__defaults__", (1000,))
    run(replace(request, out=tmp_path / "tight.zarr"))
    for what in ("ink", "edge"):
        np.testing.assert_array_equal(*(open_prediction(tmp_path / n).read(what) for n in ("p.zarr", "tight.zarr")))


def test_order_from_the_viewed_region_outwards_gives_the_same_bytes(tmp_path: Path) -> None:
    stack, model = make_stack(tmp_path, (7, 600, 700)), random_model(96)
    # One lane, since with two of them a block that was begun later may be finished first.
    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu", batch_size=1, cores=1)
    run(request)
    views = [Region(400, 500, 500, 600), Region(0, 50, 0, 60)]
    looking, middles = {"at": views[0]}, []
    for event in predict(replace(request, out=tmp_path / "seen.zarr", looking_at=lambda: looking["at"])):
        if isinstance(event, TilePredicted):
            middles.append(((event.y.start + event.y.stop) / 2, (event.x.start + event.x.stop) / 2))
            if len(middles) == 20:
                looking["at"] = views[1]
    # The viewed block comes first, and the block viewed next as soon as the tiles that were read before are predicted.
    first, second = (np.hypot(*(np.array(middles) - middle).T) for middle in ((450, 550), (25, 30)))
    assert first[:20].max() < 250 and second[:20].min() > 300
    assert second.argmin() <= 25
    for what in ("ink", "edge"):
        np.testing.assert_array_equal(*(open_prediction(tmp_path / n).read(what) for n in ("p.zarr", "seen.zarr")))
