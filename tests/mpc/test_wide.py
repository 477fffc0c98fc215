"""Wide residues are computed with as Python's own integers are, whatever the map and the magnitude."""

import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mdl.errors import MdlError
from mdl.mpc.keystream import Keystream
from mdl.mpc.layers.window import Window
from mdl.mpc.residues import FIELD_127, INNER_LIMIT, RING_104, PowerOfTwo, Residues
from mdl.mpc.secret import concatenated, of_wide, stacked, wide_parts
from mdl.mpc.wide import Wide, bilinear
from tests.mpc.fair import is_fair

BOTH = pytest.mark.parametrize("residues", [RING_104, PowerOfTwo(65), PowerOfTwo(108), FIELD_127], ids=str)

WORDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 2**22, 2**23 - 1])
)


def integers(wide: Wide) -> Any:
    """Read residues as Python's integers, in an array of objects."""
    low, high = (np.array(word.tolist(), dtype=object).reshape(wide.shape) for word in wide.words())
    return low % (1 << 64) + high * (1 << 64)


def extremes(residues: Residues) -> Wide:
    """Numbers whose digits are the largest and the smallest."""
    m = residues.modulus
    edges = [0, 1, 2, m - 1, m - 2, m // 2, m // 2 + 1, 2**64, 2**64 - 1, 2**26, 2**22 - 1, 2**126, 2**69 - 1]
    balanced = [sum(1 << 22 * k + 21 for k in range(j)) for j in range(1, 7)]
    return Wide.constants(
        [*edges, *balanced, *(sum(1 << 26 * k + 25 for k in range(j)) for j in (3, 5))], residues
    )


def is_carried(wide: Wide) -> bool:
    """Tell if limbs are digits, as operations expect: but for the lowest or the highest, see the classes."""
    lowest, *others = wide.limbs
    if wide.residues is not FIELD_127:
        return all(bool((limb >= 0).all() and (limb < 2**22).all()) for limb in wide.limbs[:-1])
    bits = (26, 26, 26, 23)
    digits = all(
        bool((limb >= 0).all() and (limb < 2**k).all()) for limb, k in zip(others, bits, strict=True)
    )
    return digits and bool((lowest >= -1).all() and (lowest <= 2**26).all())


def drawn(residues: Residues, *shape: int) -> Wide:
    return Wide.drawn(Keystream(os.urandom(16)), torch.Size(shape), residues)


@BOTH
@given(values=st.lists(WORDS, min_size=1, max_size=20))
def test_integers_come_out_as_they_went_in(residues: Residues, values: list[int]) -> None:
    given_ones = torch.tensor(values)
    wide = Wide.of(given_ones, residues)
    assert torch.equal(wide.signed(), given_ones)
    assert integers(wide).tolist() == [value % residues.modulus for value in values]


@BOTH
def test_sums_of_too_many_products_are_refused(residues: Residues) -> None:
    most = Wide.of(torch.ones(1, INNER_LIMIT, dtype=torch.int64), residues)
    assert bilinear(torch.matmul, most, most.map(torch.t)).signed().item() == INNER_LIMIT
    more = Wide.of(torch.ones(1, INNER_LIMIT + 1, dtype=torch.int64), residues)
    with pytest.raises(MdlError, match=r"131,073 products.*smaller learning\.batch"):
        bilinear(torch.matmul, more, more.map(torch.t))


@BOTH
def test_inner_products_side_by_side_are_each_as_long_as_they_are(residues: Residues) -> None:
    """Sixteen of 86,528 are more products than may be added up, and never are."""
    one = Wide.of(torch.ones(128, 16, 676, dtype=torch.int64), residues)
    assert bilinear(lambda a, b: (a * b).sum((0, 2)), one, one).signed().tolist() == [86_528] * 16


@BOTH
@given(data=st.data())
def test_sums_and_products_of_entries_are_those_of_integers(residues: Residues, data: st.DataObject) -> None:
    residue = st.one_of(st.integers(0, residues.modulus - 1), WORDS)
    one, two = (data.draw(st.lists(residue, min_size=5, max_size=5)) for _ in range(2))
    factor = data.draw(
        st.one_of(WORDS, st.sampled_from([2**residues.factor_bits, -(2**residues.factor_bits)]))
    )
    a, b = (Wide.constants(values, residues) for values in (one, two))
    m, x, y = residues.modulus, np.array(one, dtype=object), np.array(two, dtype=object)
    small = torch.tensor([factor, -1, 0, 1, 2**62])
    for found, expected in [
        (a + b, x + y),
        (a - b, x - y),
        (-a, -x),
        (a * b, x * y),
        (a * b * b - a * a, x * y * y - x * x),
        (a * factor, x * factor),
        (a * factor * b, x * factor * y),
        (a * b * factor * factor, x * y * factor * factor),
        (a + factor, x + factor),
        (a - small, x - small.numpy().astype(object)),
        (a * small, x * small.numpy().astype(object)),
        (a << 3, x << 3),
        (a << 60, x << 60),
        (a.reshape(5, 1) * b, x.reshape(5, 1) * y),
    ]:
        assert (integers(found) == expected % m).all()
        assert is_carried(found)


@BOTH
def test_sums_go_on_and_on_from_the_largest_digits(residues: Residues) -> None:
    edges = extremes(residues)
    again = edges
    values = integers(edges)
    for index in range(200):
        again = again + edges if index % 3 else -again - 1
        values = values + integers(edges) if index % 3 else -values - 1
    assert (integers(again) == values % residues.modulus).all()


def padded(part: Tensor) -> Tensor:
    return torch.nn.functional.pad(part, (1, 2, 0, 1))


@BOTH
@pytest.mark.parametrize(
    "linear",
    [
        torch.t,
        padded,
        lambda part: part[1:, ::2],
        lambda part: part.sum(0) * 3 - part[0],
        lambda part: part.unfold(1, 3, 2).permute(2, 0, 1).reshape(3, -1),
        lambda part: part @ torch.arange(-8, 8).reshape(8, 2),
    ],
)
def test_a_linear_map_is_applied_as_to_integers(
    residues: Residues, linear: Callable[[Tensor], Tensor]
) -> None:
    wide = drawn(residues, 6, 8)
    found = integers(wide.map(linear))
    # A map of residues is one of their bits, times powers of two.
    total = np.zeros(found.shape, dtype=object)
    for place in range(residues.modulus.bit_length()):
        bits = torch.from_numpy((integers(wide) >> place & 1).astype(np.int64))
        total = total + linear(bits).numpy().astype(object) * (1 << place)
    assert (found == total % residues.modulus).all()


@BOTH
def test_matrices_are_multiplied_as_integers_are(residues: Residues) -> None:
    one, two = drawn(residues, 9, 40), drawn(residues, 40, 7)
    found = bilinear(torch.matmul, one, two)
    assert (integers(found) == integers(one) @ integers(two) % residues.modulus).all()


@BOTH
def test_so_are_convolutions(residues: Residues) -> None:
    window = Window(3, 2, 1)

    def spread(rows: Tensor, weights: Tensor) -> Tensor:
        return window.images(rows @ weights, torch.Size([2, 3, 7, 7]))

    one, two = drawn(residues, 32, 5), drawn(residues, 5, 27)
    found = bilinear(spread, one, two)
    product = Wide.constants((integers(one) @ integers(two)).flatten().tolist(), residues).reshape(32, 27)
    expected = product.map(lambda part: window.images(part, torch.Size([2, 3, 7, 7])))
    assert (integers(found) == integers(expected)).all()


@BOTH
@pytest.mark.parametrize("digit", [-1, 0, 1])
def test_the_longest_inner_sums_of_the_largest_digits_do_not_overflow(residues: Residues, digit: int) -> None:
    edges = extremes(residues)
    count = edges.shape[0]
    one = edges.reshape(count, 1).expand(count, INNER_LIMIT)
    two = edges.reshape(1, count).expand(INNER_LIMIT, count) + digit
    found = bilinear(torch.matmul, one, two)
    values = integers(edges)
    expected = values.reshape(count, 1) * (values.reshape(1, count) + digit) * INNER_LIMIT
    assert (integers(found) == expected % residues.modulus).all()
    assert is_carried(found)


@BOTH
def test_what_is_packed_is_short_one_to_one_and_comes_out_again(residues: Residues) -> None:
    wide = drawn(residues, 3, 50)
    data = wide.packed()
    assert data.is_contiguous()
    assert data.shape == (3, 50, residues.size_bytes)
    assert residues.size_bytes == -(-(residues.modulus - 1).bit_length() // 8)
    assert (integers(Wide.unpacked(data, residues)) == integers(wide)).all()
    # Different limbs of the same residues are written alike.
    other = wide * -1 * 7 + wide * 8
    assert torch.equal(other.packed(), data)
    zero = extremes(residues) - extremes(residues)
    assert not zero.packed().any()


@BOTH
@pytest.mark.parametrize("shape", [(), (0,), (1,), (1, 1), (2, 0), (2, 1, 3)])
def test_vectors_of_any_shape_are_packed(residues: Residues, shape: tuple[int, ...]) -> None:
    wide = drawn(residues, *shape)
    data = torch.cat([wide.packed(), wide.packed()], -1)[..., : residues.size_bytes]
    found = Wide.unpacked(data, residues)
    assert found.shape == shape
    assert np.all(integers(found) == integers(wide))


@BOTH
def test_any_bytes_are_a_residue(residues: Residues) -> None:
    data = torch.full((4, residues.size_bytes), 255, dtype=torch.uint8)
    found = integers(Wide.unpacked(data, residues))
    largest = 2 ** (residues.modulus - 1).bit_length() - 1
    assert (found == largest % residues.modulus).all()


@BOTH
def test_every_bit_that_is_drawn_is_another_one_of_the_keystream(residues: Residues) -> None:
    key, shape = os.urandom(16), torch.Size([100])
    low, high = Keystream(key).draw(torch.Size([2, *shape])).numpy().astype(object)
    below = 64 if residues is FIELD_127 else 44
    expected = (low % 2**below + (high << below)) % 2 ** (residues.modulus - 1).bit_length()
    assert (integers(Wide.drawn(Keystream(key), shape, residues)) == expected).all()


@BOTH
def test_what_is_computed_with_stays_as_it_is(residues: Residues) -> None:
    """Also where it looks at one entry many times, or at every other one."""
    whole = drawn(residues, 4, 6)
    before = integers(whole)
    for part in (whole, whole[:, ::2], whole[:1].expand(4, 6), whole.moved(torch.t), whole[0, 0], whole[:0]):
        values = integers(part)
        for found, expected in [(part + part, 2 * values), (-part, -values), (part * part, values**2)]:
            assert np.all(integers(found) == expected % residues.modulus)
        part.packed()
        part.signed()
    assert (integers(whole) == before).all()


@BOTH
def test_what_is_drawn_is_uniform_and_not_drawn_again(residues: Residues) -> None:
    stream = Keystream(os.urandom(16))
    wide = Wide.drawn(stream, torch.Size([40_000]), residues)
    values = integers(wide)
    bits = (residues.modulus - 1).bit_length()
    for place in range(bits):
        assert is_fair(torch.from_numpy((values >> place & 1).astype(np.int64)))
    top = (values >> bits - 4).astype(np.int64)
    assert stats.chisquare(np.bincount(top, minlength=16)).pvalue > 1e-7
    later = integers(Wide.drawn(stream, torch.Size([40_000]), residues))
    assert not set(values.tolist()) & set(later.tolist())


@BOTH
@settings(max_examples=20)
@given(shapes=st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_secrets_of_wide_parts_are_joined_moved_and_added(residues: Residues, shapes: list[int]) -> None:
    parts = [drawn(residues, *shapes) for _ in range(2)]
    secret, other = (of_wide([part], (1,)) for part in parts)
    one, two = (integers(part) for part in parts)
    m = residues.modulus
    for found, expected in [
        (concatenated([secret, other]), np.concatenate([one, two])),
        (stacked([secret, other], 1), np.stack([one, two], 1)),
        (secret + other, one + two),
        (secret - 5, one - 5),
        (secret * -3, one * -3),
        (secret.times(-(2**40)), one * -(2**40)),
        (secret.sum(0), one.sum(0)),
        (secret[1:], one[1:]),
        (secret.reshape(-1), one.reshape(-1)),
        (secret.map(lambda part: part.flip(0)), np.flip(one, 0)),
    ]:
        (part,) = wide_parts(found)
        assert part.shape == np.shape(expected)
        assert np.all(integers(part) == expected % m)
    (part,) = wide_parts(secret.times(2**40))
    assert (integers(part) == integers(cast("Wide", secret.times(2**40).part(0)))).all()
