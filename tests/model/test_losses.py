"""The losses, against loops that follow their definitions pixel by pixel."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ink.model.losses import IGNORE, edge_loss, ink_loss

PLANES = st.integers(0, 2**32 - 1)


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0)


def slow_edge_loss(logits: np.ndarray, target: np.ndarray, reach: int) -> float:
    missed, false = [], []
    height, width = target.shape
    for y in range(height):
        for x in range(width):
            rows, columns = slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1)
            around, known = target[rows, columns], target[rows, columns] != IGNORE
            if target[y, x] == 1:
                best = logits[rows, columns][known].max()
                missed.append(0.5 * (softplus(-best) + softplus(-logits[y, x])))
            elif target[y, x] == 0 and not (around == 1).any():
                false.append(softplus(logits[y, x]))
    return float((np.mean(missed) if missed else 0) + (np.mean(false) if false else 0))


@settings(max_examples=40, deadline=None)
@given(
    target=hnp.arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 0, 0, 1, IGNORE])),
    reach=st.integers(0, 3),
    seed=PLANES,
)
def test_edge_loss_is_its_definition(target: np.ndarray, reach: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, target.shape).astype(np.float32)
    fast = edge_loss(torch.from_numpy(logits)[None], torch.from_numpy(target)[None], reach)
    assert math.isclose(float(fast), slow_edge_loss(logits, target, reach), rel_tol=1e-4, abs_tol=1e-5)


def line_at(column: int) -> torch.Tensor:
    plane = torch.full((1, 32, 32), -6.0)
    plane[..., column] = 6.0
    return plane


def test_a_line_drawn_within_the_tolerance_costs_less_than_one_beyond_it() -> None:
    target = torch.zeros(1, 32, 32, dtype=torch.uint8)
    target[..., 16] = 1
    exact, near, far = (float(edge_loss(line_at(c), target, 2)) for c in (16, 18, 22))
    assert exact < 0.01 < near < far - 2


def test_unreviewed_pixels_carry_no_gradient() -> None:
    target = torch.full((1, 8, 8), IGNORE, dtype=torch.uint8)
    target[0, :4] = torch.randint(0, 2, (4, 8), dtype=torch.uint8)
    for loss in (ink_loss, edge_loss):
        logits = torch.randn(1, 8, 8, requires_grad=True)
        loss(logits, target).backward()
        assert logits.grad is not None
        assert torch.count_nonzero(logits.grad[0, 4:]) == 0
        assert torch.count_nonzero(logits.grad[0, :4]) > 0


def test_nothing_reviewed_costs_nothing() -> None:
    target = torch.full((1, 8, 8), IGNORE, dtype=torch.uint8)
    assert float(edge_loss(torch.randn(1, 8, 8), target)) == 0
    assert float(ink_loss(torch.randn(1, 8, 8), target)) == 0


def test_the_scale_does_not_follow_the_length_of_the_lines() -> None:
    short = torch.zeros(1, 64, 64, dtype=torch.uint8)
    short[:, 20:28, 32] = 1
    long = torch.zeros(1, 64, 64, dtype=torch.uint8)
    long[..., 32] = 1
    guess = torch.zeros(1, 64, 64)
    torch.testing.assert_close(edge_loss(guess, short), edge_loss(guess, long))


def test_extreme_logits_in_half_precision_stay_finite() -> None:
    target = torch.randint(0, 2, (1, 16, 16), dtype=torch.uint8)
    logits = torch.where(torch.rand(1, 16, 16) < 0.5, -6e4, 6e4).half()
    assert torch.isfinite(edge_loss(logits, target)) and torch.isfinite(ink_loss(logits, target))


def test_ink_loss_against_numpy() -> None:
    rng = np.random.default_rng(1)
    logits, target = rng.normal(0, 2, (2, 6, 6)), rng.choice([0, 1, IGNORE], (2, 6, 6))
    p, known, truth = 1 / (1 + np.exp(-logits)), target != IGNORE, target == 1
    entropy = -(truth * np.log(p) + (1 - truth) * np.log(1 - p))[known].mean()
    dice = 1 - (2 * (p * truth)[known].sum() + 1) / (p[known].sum() + truth[known].sum() + 1)
    got = ink_loss(torch.from_numpy(logits), torch.from_numpy(target.astype(np.uint8)))
    np.testing.assert_allclose(float(got), entropy + dice, rtol=1e-5)
