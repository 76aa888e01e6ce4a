"""The share of window tests that open a window: they are slow, and most checks need none."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
MOST = 1 / 3


def _opens_a_window(item: pytest.Item) -> bool:
    # The tests of test_closing run the whole program in a separate process.
    return "make_napari_viewer_proxy" in getattr(item, "fixturenames", ()) or item.path.name == "test_closing.py"


def test_at_most_a_third_of_these_tests_open_a_window(request):
    items = [item for item in request.session.items if item.path.is_relative_to(HERE)]
    if {item.path for item in items} != set(HERE.rglob("test_*.py")):
        pytest.skip("only some of the tests were collected")
    # A test with many parameters is one test.
    windowed = {item.nodeid.partition("[")[0]: _opens_a_window(item) for item in items}
    count = sum(windowed.values())
    assert count <= MOST * len(windowed), f"{count} of {len(windowed)} tests open a window"
