"""The probe: networks with known results, on stacks with ink in a known layer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.filters import threshold_otsu
from torch import Tensor, nn

from napari_ink.cli import main
from napari_ink.errors import BadInputError, ContractError
from napari_ink.model import Direction
from napari_ink.predict import ProbeEnded, ProbeRequest, ProbeStarted, WindowProbed, probe
from napari_ink.predict.probing.sampling import SampleShape, choose_tiles
from napari_ink.predict.probing.separation import labelled_separation, unlabelled_separation
from napari_ink.predict.probing.verdict import Verdict, Window, decide
from napari_ink.region import Region
from napari_ink.stack import DepthStack, open_stack
from tests.predict.stand_ins import Constant, ink_model

DEPTH, SIDE, LAYERS = 31, 64, 7
OFFSETS = range(-12, 13, 4)


class InkInFront(nn.Module):
    """Finds ink in bright pixels of the middle layer of the window, if the last layer shows bright papyrus."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.scale * 16 * (torch.minimum(x[:, x.shape[1] // 2], x[:, -1]) - 1)
        return torch.stack([logits, logits], dim=1)


@pytest.fixture
def ink() -> np.ndarray:
    ink = np.zeros((SIDE, SIDE), bool)
    ink[10:50, 20:30] = ink[40:50, 10:60] = True
    return ink


def write_stack(folder: Path, ink: np.ndarray, surface: int, is_reversed: bool = False) -> DepthStack:
    """Write bright ink on the surface, bright papyrus three layers behind it, grey elsewhere, and open it."""
    volume = np.full((DEPTH, SIDE, SIDE), 90, np.uint8)
    volume[surface] += (130 * ink).astype(np.uint8)
    volume[surface - 3 if is_reversed else surface + 3] = 220
    np.save(folder / "segment.npy", volume)
    return open_stack(folder / "segment.npy")


def model(**contract: Any) -> Any:
    settings = {"depth_layers": LAYERS, "min_depth_layers": LAYERS, "mean": 0.35, "std": 0.25, **contract}
    return ink_model(InkInFront(), **settings)


def verdict_on(request: ProbeRequest) -> tuple[Verdict, list[Window]]:
    *events, ended = probe(request)
    assert isinstance(events[0], ProbeStarted) and isinstance(ended, ProbeEnded)
    windows = [event.window for event in events if isinstance(event, WindowProbed)]
    assert len(windows) == events[0].windows == len(events) - 1
    return ended.verdict, windows


@pytest.mark.parametrize("with_labels", [True, False])
@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("shift", [0, 8, -4])
def test_finds_the_window_that_contains_the_ink(
    tmp_path: Path, ink: np.ndarray, with_labels: bool, is_reversed: bool, shift: int
) -> None:
    stack = write_stack(tmp_path, ink, DEPTH // 2 + shift, is_reversed)
    verdict, windows = verdict_on(ProbeRequest(stack, model(), ink=ink if with_labels else None, device="cpu"))
    offset = -shift if is_reversed else shift  # counted in the direction of reading
    assert (verdict.direction, verdict.offset) == ("reversed" if is_reversed else "as stored", offset)
    expected = {(False, False): "fits", (True, False): "reversed", (False, True): "shifted"}
    assert verdict.kind == expected.get((is_reversed, bool(shift)), "reversed and shifted")
    assert {(w.direction, w.offset) for w in windows} == {(d, o) for d in ("as stored", "reversed") for o in OFFSETS}
    if verdict.kind != "fits":
        assert f"--offset {offset}`" in verdict.sentence
    if shift:
        assert ("towards later ones" in verdict.sentence) == (shift > 0)


def test_a_contract_that_reads_backwards_fits_a_reversed_stack(tmp_path: Path, ink: np.ndarray) -> None:
    stack = write_stack(tmp_path, ink, DEPTH // 2 + 4, is_reversed=True)
    backwards = model(direction="reversed", surface_offset=-4)
    verdict, windows = verdict_on(ProbeRequest(stack, backwards, ink=ink, device="cpu"))
    assert (verdict.kind, verdict.direction, verdict.offset) == ("fits", "reversed", -4)
    assert {w.offset for w in windows} == {o - 4 for o in range(-8, 13, 4)}  # the stack ends beyond


def test_a_model_that_finds_no_ink_gives_no_verdict(tmp_path: Path, ink: np.ndarray) -> None:
    stack = write_stack(tmp_path, ink, DEPTH // 2)
    blind = ink_model(Constant(-1, 0), depth_layers=LAYERS)
    for truth in (ink, None):
        verdict, _ = verdict_on(ProbeRequest(stack, blind, ink=truth, device="cpu"))
        assert verdict.kind == "cannot tell" and (verdict.direction, verdict.offset) == ("as stored", 0)


def test_a_stack_with_only_one_window_is_probed_in_both_directions(tmp_path: Path, ink: np.ndarray) -> None:
    shallow = np.load(write_stack(tmp_path, ink, DEPTH // 2).source)[12:19]
    np.save(tmp_path / "shallow.npy", shallow)
    stack = open_stack(tmp_path / "shallow.npy")
    verdict, windows = verdict_on(ProbeRequest(stack, model(), ink=ink, device="cpu"))
    assert verdict.kind == "fits" and [w.offset for w in windows] == [0, 0]
    with pytest.raises(ContractError, match="too few depth layers"):
        next(probe(ProbeRequest(stack, model(depth_layers=9, min_depth_layers=9), device="cpu")))


def test_a_grey_range_is_used_and_its_absence_is_reported(tmp_path: Path, ink: np.ndarray) -> None:
    values = np.load(write_stack(tmp_path, ink, DEPTH // 2).source).astype(np.uint16)
    np.save(tmp_path / "kept.npy", values)
    stack = open_stack(tmp_path / "kept.npy")
    started, *_, ended = probe(ProbeRequest(stack, model(), ink=ink, device="cpu"))
    assert "`--grey-range 0 255`" in started.notes[0] and ended.verdict.kind == "cannot tell"
    started, *_, ended = probe(ProbeRequest(stack, model().reading(grey_range=(0, 255)), ink=ink, device="cpu"))
    assert started.notes[0] == "Grey values from 0 to 255 are spread over the whole range."
    assert ended.verdict.kind == "fits"
    with pytest.raises(ContractError, match="does not fit a stack of uint8"):
        next(probe(ProbeRequest(write_stack(tmp_path, ink, 9), model().reading(grey_range=(0, 4095)), device="cpu")))


def test_an_empty_region_is_refused(tmp_path: Path, ink: np.ndarray) -> None:
    stack = write_stack(tmp_path, ink, DEPTH // 2)
    with pytest.raises(BadInputError, match="nothing to probe"):
        next(probe(ProbeRequest(stack, model(), mask=np.zeros_like(ink), device="cpu")))
    with pytest.raises(BadInputError, match="outside the segment"):
        next(probe(ProbeRequest(stack, model(), region=Region(100, 120, 0, 9), device="cpu")))
    with pytest.raises(BadInputError, match="pixels"):
        next(probe(ProbeRequest(stack, model(), mask=np.ones((3, 3), bool), device="cpu")))
    np.save(tmp_path / "black.npy", np.zeros((DEPTH, SIDE, SIDE), np.uint8))
    with pytest.raises(BadInputError, match="nothing to probe"):
        next(probe(ProbeRequest(open_stack(tmp_path / "black.npy"), model(), device="cpu")))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), count=st.integers(1, 9), side=st.sampled_from([8, 16, 24]))
def test_tiles_are_separate_and_inside_the_part_with_data(data: st.DataObject, count: int, side: int) -> None:
    height, width = (data.draw(st.integers(5, 120)) for _ in range(2))
    y0, x0 = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    region = Region(y0, data.draw(st.integers(y0 + 1, height)), x0, data.draw(st.integers(x0 + 1, width)))
    volume = np.random.default_rng(0).integers(1, 255, (3, height, width), dtype=np.uint8)
    stack = DepthStack(Path(), "s", volume.shape, volume.dtype, None, "memory", lambda z, y, x, step=1: volume[z, y, x])
    mask = np.zeros((height, width), bool)
    mask[: (region.y0 + region.y1 + 1) // 2 + 1] = True
    tiles = choose_tiles(stack, SampleShape(side, 8), count, region, mask, None)
    assert 1 <= len(tiles) <= count and len({tile.shape for tile in tiles}) == 1
    covered = np.zeros((height, width), int)
    for tile in tiles:
        covered[tile.slices] += 1
        assert tile.within(region) == tile and mask[tile.slices].any() and max(tile.shape) <= side
    assert covered.max() == 1


@settings(max_examples=30, deadline=None)
@example(seed=0, low=39, high=243, share=0.625)  # exactly four fifths of the range apart
@given(seed=st.integers(0, 2**32 - 1), low=st.integers(0, 90), high=st.integers(120, 255), share=st.floats(0.05, 0.9))
def test_the_separation_of_two_clean_groups_is_their_distance(seed: int, low: int, high: int, share: float) -> None:
    bright = np.random.default_rng(seed).random(4000) < share
    levels = np.where(bright, high, low).astype(np.uint8)
    found = unlabelled_separation(levels)
    assert found.value == pytest.approx((high - low) * bright.mean() / (bright.mean() + 0.01), rel=1e-6)
    assert found.is_clear == (high - low >= 204)
    assert labelled_separation(levels, bright).value == pytest.approx(high - low)


def test_the_groups_equal_otsus() -> None:
    rng = np.random.default_rng(0)
    levels = np.clip(rng.normal(np.where(rng.random(9000) < 0.3, 180, 60), 30), 0, 255).astype(np.uint8)
    above = levels > threshold_otsu(levels)
    apart = levels[above].mean() - levels[~above].mean()
    explained = above.mean() * (1 - above.mean()) * apart**2 / levels.var()
    expected = apart * explained**3 * above.mean() / (above.mean() + 0.01)
    assert unlabelled_separation(levels).value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("levels", [np.zeros(0, np.uint8), np.zeros(9, np.uint8), np.full(9, 255, np.uint8)])
def test_one_level_separates_nothing(levels: np.ndarray) -> None:
    assert unlabelled_separation(levels).value == 0 and not unlabelled_separation(levels).is_clear
    assert labelled_separation(levels, np.zeros(len(levels), bool)).value == 0


def row(direction: Direction, *separations: float) -> list[Window]:
    return [Window(direction, offset, s, s >= 10) for offset, s in zip(OFFSETS, separations, strict=True)]


@pytest.mark.parametrize(
    ("stored", "turned", "kind", "offset"),
    [
        ((40, 60, 90, 91, 92, 99, 60), (0,) * 7, "fits", 0),  # 8 % below the best does not justify a shift
        ((10, 20, 30, 50, 98, 100, 99), (0,) * 7, "shifted", 8),
        ((100, 40, 10, 1, 0, 0, 0), (5,) * 7, "shifted", -12),
        ((5,) * 7, (1, 60, 95, 96, 98, 80, 9), "reversed", 0),
        ((5,) * 7, (1, 2, 3, 9, 97, 99, 98), "reversed and shifted", 8),
        ((1, 2, 3, 4, 5, 6, 7), (-9,) * 7, "cannot tell", 0),
    ],
)
def test_verdicts_follow_from_separations(
    stored: tuple[float, ...], turned: tuple[float, ...], kind: str, offset: int
) -> None:
    verdict = decide(row("as stored", *stored) + row("reversed", *turned), ("as stored", 0))
    assert (verdict.kind, verdict.offset, verdict.shift) == (kind, offset, offset)
    assert verdict.direction == ("reversed" if "reversed" in kind else "as stored")
    assert ("or more" in verdict.sentence) == (offset == -12)


def test_the_probe_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ink = np.zeros((SIDE, SIDE), bool)
    ink[10:50, 20:30] = True
    write_stack(tmp_path, ink, DEPTH // 2 + 8, is_reversed=True)
    Image.fromarray(ink.astype(np.uint8) * 255).save(tmp_path / "segment_inklabels.png")
    monkeypatch.setattr("napari_ink.model.load_model", lambda name: model())
    stack, plot = str(tmp_path / "segment.npy"), tmp_path / "plot.png"
    assert main(["probe", stack, "--device", "cpu", "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert "reversed and shifted by 8 layers towards later" in out and "--direction reversed --offset -8" in out
    assert "segment_inklabels.png" in err and np.asarray(Image.open(plot)).std() > 10
    assert main(["probe", stack, "--device", "cpu", "--no-labels", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["verdict"]["kind"] == "reversed and shifted" and facts["separation"] == "without labels"
    assert len(facts["windows"]) == 14
    assert main(["probe", stack, "--plot", str(plot)]) == 2
    # A PNG under the name of a table would be opened by no program.
    assert main(["probe", stack, "--plot", str(tmp_path / "plot.csv")]) == 2
    assert not (tmp_path / "plot.csv").exists()
    assert "exists already" in capsys.readouterr().err
    assert main(["probe", stack, "--tiles", "0"]) == 2
