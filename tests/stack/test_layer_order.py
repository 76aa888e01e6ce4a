"""The number of a layer in its file name: the column of numbers without gaps, with signs and copies."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.stack.layer_order import in_sequence, layers_among, note_on_left_out


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
def test_layers_are_in_the_order_of_their_numbers(name: str) -> None:
    names = [name.format(z=z, signed=z - 8, seconds=17 + z * 3, one_based=z + 1) for z in range(16)]
    assert in_sequence("s", sorted(names)).names == names
    assert layers_among(names, "s") == names


def test_a_time_beside_the_number_may_have_gaps() -> None:
    names = [f"slice_{z:04}_t{17.25 + 0.5 * z:.2f}s.tif" for z in range(16)]
    assert in_sequence("s", names[::-1]).names == names


def order_of(names: list[str], random: Random) -> tuple[bool, str]:
    """Return whether shuffled names are sorted back into their order, and the note on them."""
    order = in_sequence("s", random.sample(names, len(names)))
    return order.names == names, order.note


SEPARATED = ["{}", "l_{}", "20230101_{}", "z={}", "z ({})", "a.{}", "l-{}"]
AFTER_LETTERS = ["l{}", "Größe{}", "w1_z{}"]
HYPHENS = ["l-{}", "seg-{}", "scan(2)-{}", "20230101-{}", "v2-{}", "字-{}", "l_{}", "z-{}"]
FORMATS = ["{}", "{:02d}", "{:04d}", "{:+03d}", "{:+d}"]
LENGTHS, FIRSTS, MIXED = st.integers(2, 60), st.integers(-70, 70), st.randoms()


@settings(deadline=None)  # a busy machine takes longer than hypothesis allows
@given(LENGTHS, FIRSTS, st.sampled_from(SEPARATED), st.sampled_from(FORMATS), MIXED)
def test_signed_numbers_are_in_order(length: int, first: int, name: str, form: str, random: Random) -> None:
    last = first + length - 1
    names = [f"{name.format(form.format(number))}.tif" for number in range(first, last + 1)]
    is_right, note = order_of(names, random)
    assert is_right
    assert bool(note) is (last < 0)  # a minus in every name may be a hyphen
    assert not note or ("read as a sign" in note and names[0] in note and f"{first} to {last}" in note)


@settings(deadline=None)  # a busy machine takes longer than hypothesis allows
@given(LENGTHS, FIRSTS, st.sampled_from(AFTER_LETTERS), st.sampled_from(FORMATS), MIXED)
def test_a_minus_after_letters_is_a_sign_if_other_names_have_none(
    length: int, first: int, name: str, form: str, random: Random
) -> None:
    last = max(first + length - 1, 0)
    names = [f"{name.format(form.format(number))}.tif" for number in range(first, last + 1)]
    is_right, note = order_of(names, random)
    assert is_right
    assert bool(note) is (first < 0 == last)  # l-2, l-1, l0 may be numbered from 0 to 2


@settings(deadline=None)  # a busy machine takes longer than hypothesis allows
@given(
    st.integers(2, 60), st.integers(0, 70), st.sampled_from(HYPHENS), st.sampled_from(["{}", "{:02d}"]), st.randoms()
)
def test_hyphens_are_not_signs(length: int, first: int, name: str, form: str, random: Random) -> None:
    names = [f"{name.format(form.format(number))}.tif" for number in range(first, first + length)]
    is_right, note = order_of(names, random)
    assert is_right
    assert bool(note) is (name == "z-{}" and first > 0)


@pytest.mark.parametrize("name", ["-{z:02}.tif", "l_-{z}.tif", "l -{z}.tif"])
def test_minus_0_is_never_a_number(name: str) -> None:
    names = [name.format(z=z) for z in range(12)]
    assert order_of(names, Random(0)) == (True, "")


@pytest.mark.parametrize(
    "name",
    [
        "{up:02}_-{down}.tif",  # another column runs in the other direction: signs
        "{up:02} -{up_from_1}.tif",  # or in the same direction: hyphens
        "slice_-{up_from_1}_t{seconds:.2f}s.tif",
        "z-{down}_{date}{seconds:05.0f}.tif",
        "\u2212{down}_t{seconds:.0f}.tif",
    ],
)
def test_another_column_decides_whether_a_minus_is_a_sign(name: str) -> None:
    names = [name.format(up=z, up_from_1=z + 1, down=12 - z, seconds=17 + z * 3.5, date=20230801) for z in range(12)]
    assert order_of(names, Random(0)) == (True, "")


def test_typeset_minus_signs_are_signs() -> None:
    names = [f"\u2212{-z}.tif" if z < 0 else f"{z}.tif" for z in range(-3, 3)]
    assert layers_among([*names, "composite.tif"], "s") == names
    assert order_of(names, Random(0)) == (True, "")


def test_signs_after_different_words() -> None:
    assert order_of(["a_-00.tif", "b_-01.tif", "c_-02.tif"], Random(0)) == (True, "")
    is_right, note = order_of(["a_-3.tif", "b_-2.tif", "c_-1.tif"], Random(0))
    assert is_right and "read as a sign" in note


def test_images_left_out_are_named() -> None:
    layers = [f"{z:02}.tif" for z in range(16)]
    known = ["20230827161847.tif", "mask.png", "s_inklabels_v3.tif", "s_supervision_mask.png"]
    assert note_on_left_out([*layers, *known], layers, "20230827161847") == ""
    (one, many) = (
        note_on_left_out([*layers, *known, *others], layers, "20230827161847")
        for others in (["03 (1).tif"], ["03 (1).tif", "a.tif", "b.png", "0.tif", "c.jpg"])
    )
    assert one.startswith("1 image beside the layers is left out: 03 (1).tif; ") and "00.tif" in one
    assert many.startswith("5 images beside the layers are left out: 0.tif, 03 (1).tif, a.tif and 2 more; ")


def refusal(*names: str) -> str:
    with pytest.raises(StackError) as caught:
        in_sequence("folder", names)
    message = str(caught.value)
    assert "\n" not in message and not re.search(r"delete|keep one|remove", message)
    return message


@pytest.mark.parametrize("copy", ["05 - Copy.tif", "05 (1).tif", "05_copy2.tif", "05 - Kopie (2).tif"])
def test_copies_are_named_without_advice_to_delete_one(copy: str) -> None:
    names = [f"{z:02}.tif" for z in range(16)]
    message = refusal(*names, copy)
    assert copy in message and "00.tif" in message and "folder of their own" in message


def test_ambiguous_names_are_refused_with_the_reason() -> None:
    assert "b_01.tif" in refusal("a_01.tif", "b_01.tif")
    assert "01_1.tif and 01_2.tif, both layer 1" in refusal("00_1.tif", "01_1.tif", "01_2.tif", "00_2.tif")
    assert "different orders" in refusal("00_03.tif", "01_02.tif", "02_01.tif", "03_00.tif")
    assert "lacks layers 1, 3 between 0 and 4" in refusal("000.tif", "002.tif", "004.tif")
    assert "has no number" in refusal("00.tif", "mask.tif")


def test_signed_layers_beside_a_composite_are_all_found() -> None:
    names = [f"{z}.tif" for z in range(-3, 3)]
    assert layers_among([*names, "composite.tif", "20230827161847.tif"], "20230827161847") == names
    assert Path(in_sequence("s", names).names[0]).stem == "-3"


@pytest.mark.parametrize("name", ["{:02x}.tif", "{:04X}.png"])
def test_hexadecimal_numbers_are_refused_rather_than_left_out(name: str) -> None:
    with pytest.raises(StackError, match="segment holds .* hexadecimal numbering"):
        layers_among([name.format(z) for z in range(32)], "segment")
    assert layers_among(["00.tif", "01.tif", "composite.tif", "face.tif", "ab.tif"], "segment") == ["00.tif", "01.tif"]
