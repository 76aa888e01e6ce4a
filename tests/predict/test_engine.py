"""The engine compared with simple arithmetic, over shapes, tiles, overlaps, regions, masks and batches."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict import PredictionEnded, PredictionStarted, PredictRequest, TilePredicted, open_prediction
from napari_ink.predict.blending import weight_map
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from tests.predict.stand_ins import Constant, Smear, ink_model, make_stack, run

sizes = st.integers(16, 330)
overlaps = st.sampled_from([0.0, 0.1, 0.25, 0.375, 0.5, 0.75])


@st.composite
def regions_in(draw: st.DrawFn, shape: tuple[int, int]) -> Region | None:
    if draw(st.booleans()):
        return None
    y0, x0 = (draw(st.integers(0, n - 1)) for n in shape)
    return Region(y0, draw(st.integers(y0 + 1, shape[0])), x0, draw(st.integers(x0 + 1, shape[1])))


@st.composite
def masks_of(draw: st.DrawFn, shape: tuple[int, int], region: Region | None = None) -> npt.NDArray[np.bool_] | None:
    if draw(st.booleans()):
        return None
    blobs = np.random.default_rng(draw(st.integers(0, 99))).random((-(-shape[0] // 40), -(-shape[1] // 40)))
    mask = np.kron(blobs < draw(st.floats(0, 1)), np.ones((40, 40), bool))[: shape[0], : shape[1]].astype(bool)
    mask[(region.y0, region.x0) if region else (0, 0)] = True  # an empty mask is refused
    return mask


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    shape=st.tuples(sizes, sizes),
    tile_size=st.sampled_from([32, 64, 96, 250]),
    overlap=overlaps,
    batch_size=st.integers(1, 5),
    logit=st.floats(-6, 6),
)
def test_a_constant_model_gives_a_constant_map(
    data: st.DataObject, shape: tuple[int, int], tile_size: int, overlap: float, batch_size: int, logit: float
) -> None:
    region = data.draw(regions_in(shape))
    mask = data.draw(masks_of(shape, region))
    with TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), (3, *shape))
        model = ink_model(Constant(logit, -logit), tile_size)
        out = Path(folder) / "p.zarr"
        events = run(PredictRequest(stack, model, out, region, mask, "cpu", overlap, batch_size))
        prediction = open_prediction(out)
        inside = np.zeros(shape, bool)
        inside[(region or Region.whole(shape)).slices] = True
        inside &= True if mask is None else mask
        for what, value in (("ink", logit), ("edge", -logit)):
            plane = prediction.read(what)
            assert not plane[~inside].any()
            levels = set(np.unique(plane[inside]).tolist())
            assert len(levels) <= 1 and all(abs(v - 255 / (1 + math.exp(-value))) < 0.6 for v in levels)
        assert prediction.complete and events[-1].complete and prediction.provenance["complete"]
    check_events(events)


def check_events(events: list[object]) -> None:
    assert isinstance(events[0], PredictionStarted) and isinstance(events[-1], PredictionEnded)
    tiles = [event for event in events if isinstance(event, TilePredicted)]
    assert [event.done for event in tiles] == list(range(1, len(tiles) + 1))
    assert {event.total for event in tiles} <= {len(tiles)} and events[0].tiles == events[-1].tiles == len(tiles)


def brute_force(request: PredictRequest) -> npt.NDArray[np.float64]:
    """Blend with the whole stack in memory, in float64, one tile at a time."""
    stack, model = request.stack, request.model
    shape = stack.shape[1:]
    grid = tile_grid(shape, model.contract.tile_size, model.network.size_divisor, request.overlap)
    volume = model.contract.prepare(stack.read(model.contract.z_window(stack.shape[0]), *Region.whole(shape).slices))
    short = [max(tile - n, 0) for tile, n in zip(grid.tile, shape, strict=True)]
    volume = np.pad(volume, ((0, 0), (0, short[0]), (0, short[1])), mode="symmetric")
    weights = weight_map(grid).astype(float)
    total, count = np.zeros((2, *volume.shape[1:])), np.zeros(volume.shape[1:])
    for row in grid.rows(Region.whole(shape)):
        for tile in row:
            here = slice(tile.y0, tile.y0 + grid.tile[0]), slice(tile.x0, tile.x0 + grid.tile[1])
            with torch.no_grad():
                logits = model.network(torch.from_numpy(volume[None, :, *here].copy()))[0]
            total[:, *here] += weights / (1 + np.exp(-logits.numpy().astype(float)))
            count[here] += weights
    return 255 * (total / count)[:, : shape[0], : shape[1]]


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    shape=st.tuples(sizes, sizes),
    tile_size=st.sampled_from([32, 64, 120]),
    overlap=overlaps,
    batch_size=st.integers(1, 4),
    direction=st.sampled_from(["as stored", "reversed"]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_agrees_with_brute_force_to_rounding(
    data: st.DataObject,
    shape: tuple[int, int],
    tile_size: int,
    overlap: float,
    batch_size: int,
    direction: str,
    dtype: type,
) -> None:
    mask = data.draw(masks_of(shape))
    with TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), (7, *shape), dtype=dtype)
        model = ink_model(FirstLayer(), tile_size, direction=direction, clip=(0.1, 0.8))
        out = Path(folder) / "p.zarr"
        request = PredictRequest(stack, model, out, mask=mask, device="cpu", overlap=overlap, batch_size=batch_size)
        last_seen = np.zeros((2, *shape), np.uint8)
        for event in run(request):
            if isinstance(event, TilePredicted):
                last_seen[:, event.y, event.x] = event.ink, event.edge
        stored = np.stack([open_prediction(out).read(what) for what in ("ink", "edge")])
        np.testing.assert_array_equal(last_seen, stored)
        expected = brute_force(request) * (True if mask is None else mask)
    assert np.abs(stored - expected).max() < 0.5 + 0.13


class FirstLayer(Smear):
    """A `Smear` that depends on the order of the layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:, :1])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), shape=st.tuples(sizes, sizes), overlap=overlaps, batch_size=st.integers(1, 3))
def test_a_region_is_a_crop_of_the_whole(
    data: st.DataObject, shape: tuple[int, int], overlap: float, batch_size: int
) -> None:
    region = data.draw(regions_in(shape)) or Region.whole(shape)
    mask = data.draw(masks_of(shape, region))
    with TemporaryDirectory() as folder:
        stack, model = make_stack(Path(folder), (3, *shape)), ink_model(Smear(), 64)
        planes = []
        for name, part in (("whole", None), ("part", region)):
            out = Path(folder) / name
            run(PredictRequest(stack, model, out, part, mask, "cpu", overlap, batch_size))
            planes.append(open_prediction(out).read("ink")[region.slices].astype(int))
    # A single tile has the same bits in any run; in a batch, the other tiles may change the last bits.
    assert np.abs(planes[0] - planes[1]).max() <= (0 if batch_size == 1 else 1)


@pytest.mark.parametrize("batch_size", [None, 3])
def test_the_real_network_predicts_segments_of_any_size(tmp_path: Path, batch_size: int | None) -> None:
    from napari_ink.model import InkEdgeConfig, InkModel
    from napari_ink.model.network import InkEdgeNetwork

    torch.manual_seed(0)
    config = InkEdgeConfig.tiny()
    contract = ink_model(Smear(), 64).contract
    model = InkModel("random", InkEdgeNetwork(config).eval(), config, contract, {}, "1" * 64)
    for shape in ((3, 16, 16), (7, 17, 150), (65, 131, 64)):
        stack = make_stack(tmp_path, shape)
        region = Region(shape[1] // 2, shape[1], 3, shape[2] - 2)
        planes = []
        for name, part in (("whole", None), ("part", region)):
            out = tmp_path / f"{name}-{shape[1]}.zarr"
            run(PredictRequest(stack, model, out, part, device="cpu", batch_size=batch_size))
            prediction = open_prediction(out)
            assert prediction.shape == shape[1:] and prediction.complete
            planes.append(prediction.read("edge", *region.slices).astype(int))
        assert planes[0].std() > 0
        assert np.abs(planes[0] - planes[1]).max() <= (0 if batch_size is None and shape[1] != 16 else 1)
