"""Planes that grow, and their coarser copies, compared with reductions of the whole plane."""

import errno

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import block_reduce

import napari_ink.gui.layers.growing_pyramid as growing
from napari_ink.gui.layers.growing_pyramid import GrowingPyramid


@settings(max_examples=25, deadline=None)
@given(data=st.data(), shape=st.tuples(st.integers(1, 90), st.integers(1, 90)))
@pytest.mark.parametrize("coarser", ["mean", "max"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_coarser_copies_follow_every_part(
    coarser: str, in_memory: bool, data: st.DataObject, shape: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "_SCREEN_PX", 20)
        patch.setattr(growing, "_IN_MEMORY_PX", 10**6 if in_memory else 0)
        plane = GrowingPyramid(shape, coarser)  # type: ignore[arg-type]
    assert plane.is_in_memory is in_memory
    rng = np.random.default_rng(0)
    for _ in range(data.draw(st.integers(0, 6))):
        y0, x0 = (data.draw(st.integers(0, n - 1)) for n in shape)
        y1, x1 = data.draw(st.integers(y0 + 1, shape[0])), data.draw(st.integers(x0 + 1, shape[1]))
        plane.put(slice(y0, y1), slice(x0, x1), rng.integers(0, 256, (y1 - y0, x1 - x0), dtype=np.uint8))
    expected = plane.levels[0]
    for level in plane.levels[1:]:
        even = np.pad(expected, [(0, n % 2) for n in expected.shape], mode="edge")
        if coarser == "max":
            expected = block_reduce(even, (2, 2), np.max)
        else:
            expected = np.floor(block_reduce(even.astype(float), (2, 2), np.mean) + 0.5).astype(np.uint8)
        np.testing.assert_array_equal(level, expected)
    assert max(plane.levels[-1].shape) <= 20
    plane.clear()
    assert not any(level.any() for level in plane.levels)


def test_a_full_disk_leaves_the_plane_in_memory(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(growing, "_IN_MEMORY_PX", 0)
    monkeypatch.setattr(growing.os, "posix_fallocate", refuse, raising=False)
    plane = GrowingPyramid((40, 50), "max")
    plane.put(slice(0, 2), slice(0, 3), np.full((2, 3), 9, np.uint8))
    assert not isinstance(plane.levels[0], np.memmap)
    assert plane.levels[0].sum() == 54
