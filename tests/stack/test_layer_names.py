"""Which layer a file is: the column of numbers that runs without gaps, signs and copies and all."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.stack.layer_names import in_sequence, layers_among


@pytest.mark.parametrize(
    "name",
    [
        "{z:02}.tif",
        "layer{z}.tiff",
        "w005_20231210121321_{z:02}.tif",
        "{signed}.tif",
        "layer_{signed:+03d}.tif",
        "s1_{signed:03d}_7.91um.tif",
        "z{z:03}_2023080112{seconds:04}.tif",
        "slice_{z:04}_t{seconds:.2f}s.tif",
        "{z:03}_of_016.tif",
        "scan-{z:02}.tif",
        "2023-08-01-{z}.tif",
        "{z:02} - {one_based:02}.tif",
        "layer ({one_based}).tif",
    ],
)
def test_layers_come_in_their_order(name: str) -> None:
    names = [name.format(z=z, signed=z - 8, seconds=17 + z * 3, one_based=z + 1) for z in range(16)]
    assert in_sequence("s", sorted(names)) == names
    assert layers_among(names, "s") == names


def test_a_time_beside_the_number_may_jump() -> None:
    names = [f"slice_{z:04}_t{17.25 + 0.5 * z:.2f}s.tif" for z in range(16)]
    assert in_sequence("s", names[::-1]) == names


@given(st.integers(1, 60), st.integers(-70, 70), st.sampled_from(["{}", "l_{}", "l{}x7", "20230101_{}"]), st.randoms())
def test_any_run_of_numbers(length: int, first: int, name: str, random: Random) -> None:
    signed = name in ("{}", "l_{}", "20230101_{}") and first < 0 < first + length
    numbers = range(first, first + length) if signed else range(abs(first), abs(first) + length)
    names = [name.format(number) for number in numbers]
    shuffled = [f"{one}.tif" for one in random.sample(names, len(names))]
    assert in_sequence("s", shuffled) == [f"{one}.tif" for one in names]


def refusal(*names: str) -> str:
    with pytest.raises(StackError) as caught:
        in_sequence("folder", names)
    message = str(caught.value)
    assert "\n" not in message and not re.search(r"delete|keep one|remove", message)
    return message


@pytest.mark.parametrize("copy", ["05 - Copy.tif", "05 (1).tif", "05_copy2.tif", "05 - Kopie (2).tif"])
def test_copies_are_named_and_none_is_to_be_thrown_away(copy: str) -> None:
    names = [f"{z:02}.tif" for z in range(16)]
    message = refusal(*names, copy)
    assert copy in message and "00.tif" in message and "folder of their own" in message


def test_what_tells_no_layers_apart_is_named() -> None:
    assert "b_01.tif" in refusal("a_01.tif", "b_01.tif")
    assert "01_1.tif and 01_2.tif, both layer 1" in refusal("00_1.tif", "01_1.tif", "01_2.tif", "00_2.tif")
    assert "different orders" in refusal("00_03.tif", "01_02.tif", "02_01.tif", "03_00.tif")
    assert "lacks layer 1, 3 between 0 and 4" in refusal("000.tif", "002.tif", "004.tif")
    assert "has no number" in refusal("00.tif", "mask.tif")


def test_signed_layers_beside_a_composite_are_all_found() -> None:
    names = [f"{z}.tif" for z in range(-3, 3)]
    assert layers_among([*names, "composite.tif", "20230827161847.tif"], "20230827161847") == names
    assert Path(in_sequence("s", names)[0]).stem == "-3"


@pytest.mark.parametrize("name", ["{:02x}.tif", "{:04X}.png"])
def test_hexadecimal_numbers_are_refused_rather_than_left_out(name: str) -> None:
    with pytest.raises(StackError, match="segment holds .* hexadecimal numbering"):
        layers_among([name.format(z) for z in range(32)], "segment")
    assert layers_among(["00.tif", "01.tif", "composite.tif", "face.tif", "ab.tif"], "segment") == ["00.tif", "01.tif"]
