"""The losses, compared with loops over the pixels by their definitions, and their promised properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ink.model.losses import IGNORE, edge_loss, hinge, ink_loss

PLANES = hnp.arrays(np.uint8, (11, 13), elements=st.sampled_from([0, 0, 0, 1, IGNORE]))
SEEDS = st.integers(0, 2**32 - 1)


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0)


def slow_hinge(logits: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    height, width = target.shape
    edges, known = target == 1, target != IGNORE
    shifts = [(u, v) for u in range(-reach, reach + 1) for v in range(-reach, reach + 1) if u * u + v * v <= reach**2]

    def is_drawn(y: int, x: int) -> bool:
        return 0 <= y < height and 0 <= x < width and bool(edges[y, x])

    def score(cell_y: int, cell_x: int, u: int, v: int) -> float:
        rows = range(max(8 * (cell_y - 2), 0), min(8 * (cell_y + 3), height))
        columns = range(max(8 * (cell_x - 2), 0), min(8 * (cell_x + 3), width))
        along = [logits[y, x] for y in rows for x in columns if known[y, x] and is_drawn(y - u, x - v)]
        return 4 * float(np.clip(along, -8, 8).mean()) if along else -32.0

    moved = np.zeros(target.shape)
    for y, x in np.ndindex(target.shape):
        scores = [score(y // 8, x // 8, u, v) - (u * u + v * v) / (2 * max(reach, 1) ** 2) for u, v in shifts]
        weights = np.exp(np.array(scores) - max(scores))
        moved[y, x] = weights @ [is_drawn(y - u, x - v) for u, v in shifts] / weights.sum()
    return moved


@settings(max_examples=8, deadline=None)
@given(target=PLANES, reach=st.integers(0, 2), seed=SEEDS)
def test_moved_labels_equal_a_loop_over_pixels(target: np.ndarray, reach: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 5, target.shape).astype(np.float32)
    moved = hinge(torch.from_numpy(logits)[None], torch.from_numpy(target)[None], reach)
    np.testing.assert_allclose(moved[0].numpy(), slow_hinge(logits, target, reach), atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(target=PLANES, seed=SEEDS)
def test_edge_loss_equals_its_definition_on_the_moved_labels(target: np.ndarray, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, target.shape).astype(np.float32)
    planes = torch.from_numpy(logits)[None], torch.from_numpy(target)[None]
    edge, known = hinge(*planes, 2)[0].numpy(), target != IGNORE
    missed, false, both, each = 0.0, 0.0, 0.0, 0.0
    for at in zip(*np.nonzero(known), strict=True):
        p = 1 / (1 + math.exp(-logits[at]))
        missed, false = missed + edge[at] * softplus(-logits[at]), false + (1 - edge[at]) * softplus(logits[at])
        both, each = both + p * edge[at], each + p * p + edge[at] ** 2
    on, count = (edge * known).sum(), max(known.sum(), 1)
    slow = 0.6 * missed / max(on, 1) + 1.4 * false / max(known.sum() - on, 1)
    slow += 1 - (2 * both / count + 1e-4) / (each / count + 1e-4)
    assert math.isclose(float(edge_loss(*planes, 2)), slow, rel_tol=1e-3, abs_tol=1e-5)


def drawn(*columns: int, height: int = 64) -> torch.Tensor:
    plane = torch.full((1, height, 64), -6.0)
    plane[..., list(columns)] = 6.0
    return plane


def line(height: int = 64) -> torch.Tensor:
    target = torch.zeros(1, height, 64, dtype=torch.uint8)
    target[..., 32] = 1
    return target


@pytest.mark.parametrize("off", [-3, -1, 2, 3])
def test_a_line_drawn_within_the_tolerance_costs_no_more_than_the_exact_one(off: int) -> None:
    exact, beside = (float(edge_loss(drawn(32 + by), line(), 3)) for by in (0, off))
    assert beside < exact + 2e-3
    assert exact < 0.02


def test_wrong_pixels_cost_more_than_the_thin_line() -> None:
    right = float(edge_loss(drawn(32), line(), 3))
    missing = drawn()
    far, second, thick = drawn(40), drawn(32, 50), drawn(*range(30, 35))
    dots = drawn(32)
    dots[:, torch.arange(64) % 4 > 0] = -6
    for wrong in (missing, far, second, thick, dots):
        assert float(edge_loss(wrong, line(), 3)) > right + 0.1


@settings(max_examples=20, deadline=None)
@given(
    target=hnp.arrays(np.uint8, (16, 24), elements=st.sampled_from([0, 0, 1, IGNORE])),
    reach=st.integers(0, 4),
    half=st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
    seed=SEEDS,
)
def test_half_precision_is_finite_and_unreviewed_pixels_have_no_gradient(
    target: np.ndarray, reach: int, half: torch.dtype, seed: int
) -> None:
    certain = np.random.default_rng(seed).choice([-60.0, 0.0, 60.0], (1, *target.shape))
    for loss in (ink_loss, lambda x, t: edge_loss(x, t, reach)):
        logits = torch.from_numpy(certain).to(half).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(logits, torch.from_numpy(target)[None])
        value.backward()
        assert value.dtype == torch.float32 and torch.isfinite(value)
        assert logits.grad is not None and torch.isfinite(logits.grad).all()
        assert not logits.grad[0][torch.from_numpy(target == IGNORE)].any()


def test_large_planes_in_half_precision_stay_finite() -> None:
    target = (torch.rand(2, 1024, 1024) < 0.3).to(torch.uint8)
    logits = torch.where(target == 1, -6e4, 6e4).half().requires_grad_()
    value = edge_loss(logits, target, 1)
    value.backward()
    assert torch.isfinite(value) and logits.grad is not None and torch.isfinite(logits.grad).all()


def test_every_reviewed_pixel_has_a_gradient() -> None:
    logits = torch.zeros(1, 64, 64, requires_grad=True)
    edge_loss(logits, line()).backward()
    assert logits.grad is not None and (logits.grad != 0).all()


@pytest.mark.parametrize("reach", [0, 3])
def test_the_loss_is_zero_without_reviewed_pixels(reach: int) -> None:
    target = torch.full((1, 8, 8), IGNORE, dtype=torch.uint8)
    assert float(edge_loss(torch.randn(1, 8, 8), target, reach)) == 0
    assert float(ink_loss(torch.randn(1, 8, 8), target)) == 0


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.005, 0.4), reach=st.integers(0, 3), seed=SEEDS)
def test_the_scale_depends_neither_on_the_tile_nor_on_the_number_of_edges(share: float, reach: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (1, 32, 32)).astype(np.float32))
    target = torch.from_numpy((rng.random((1, 32, 32)) < share).astype(np.uint8))
    target[0, 4, 4] = 1
    four = edge_loss(logits.tile(4, 1, 1), target.tile(4, 1, 1), reach)
    torch.testing.assert_close(four, edge_loss(logits, target, reach))
    nine = edge_loss(logits.tile(1, 3, 3), target.tile(1, 3, 3), 0)
    torch.testing.assert_close(nine, edge_loss(logits, target, 0))
    unsure = edge_loss(torch.zeros(1, 32, 32), target, 0, dice_weight=0)  # classes are balanced at any share
    torch.testing.assert_close(unsure, torch.tensor(2 * math.log(2)))


@settings(max_examples=20, deadline=None)
@given(axes=st.sampled_from([(1,), (2,), (1, 2)]), seed=SEEDS)
def test_a_flip_does_not_change_the_loss(axes: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 3, (2, 24, 32)).astype(np.float32))
    target = torch.from_numpy(rng.choice([0, 0, 0, 1, IGNORE], (2, 24, 32)).astype(np.uint8))
    torch.testing.assert_close(edge_loss(logits.flip(axes), target.flip(axes)), edge_loss(logits, target))


def test_ink_loss_equals_numpy() -> None:
    rng = np.random.default_rng(1)
    logits, target = rng.normal(0, 2, (2, 6, 6)), rng.choice([0, 1, IGNORE], (2, 6, 6))
    p, known, truth = 1 / (1 + np.exp(-logits)), target != IGNORE, target == 1
    entropy = -(truth * np.log(p) + (1 - truth) * np.log(1 - p))[known].mean()
    dice = 1 - (2 * (p * truth)[known].sum() + 1) / (p[known].sum() + truth[known].sum() + 1)
    got = ink_loss(torch.from_numpy(logits), torch.from_numpy(target.astype(np.uint8)))
    np.testing.assert_allclose(float(got), entropy + dice, rtol=1e-5)
