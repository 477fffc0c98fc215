"""Limbs are computed with as the integers are that they stand for."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.mpc.blind.lattice.coefficients import FRACTION_BYTES, WHOLE_BYTES, Coefficients
from mdl.mpc.keystream import Keystream
from tests.mpc.blind.lattice.integers import MODULUS, SCALE, coefficients, integers

EDGES = [0, 1, 2**36 - 1, 2**36, 2**64 - 1, 2**64, SCALE - 1, SCALE, MODULUS // 2, MODULUS - 1]
RESIDUES = st.lists(st.one_of(st.integers(0, MODULUS - 1), st.sampled_from(EDGES)), min_size=3, max_size=3)
WORDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3)


@given(one=RESIDUES, two=RESIDUES)
def test_sums_and_negatives_are_those_of_integers(one: list[int], two: list[int]) -> None:
    a, b = coefficients(one), coefficients(two)
    assert integers(a + b).tolist() == [(x + y) % MODULUS for x, y in zip(one, two, strict=True)]
    assert integers(-a).tolist() == [-x % MODULUS for x in one]


@given(values=WORDS)
def test_words_are_taken_up_with_their_sign(values: list[int]) -> None:
    assert integers(Coefficients.of(torch.tensor(values))).tolist() == [each % MODULUS for each in values]


@given(values=RESIDUES)
def test_what_is_written_is_read(values: list[int]) -> None:
    one = coefficients(values)
    whole, fractions = one.whole(), one.fractions()
    assert whole.shape == (3, WHOLE_BYTES)
    assert fractions.shape == (3, FRACTION_BYTES)
    assert integers(Coefficients.of_whole(whole)).tolist() == values
    assert integers(Coefficients.of_fractions(fractions)).tolist() == [each % SCALE for each in values]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_bytes_may_lie_anywhere(count: int) -> None:
    data = torch.from_numpy(np.frombuffer(os.urandom(3 + count * WHOLE_BYTES), np.uint8).copy())
    read = Coefficients.of_whole(data[3:].view(-1, WHOLE_BYTES))
    expected = [int.from_bytes(bytes(row.tolist()), "little") for row in data[3:].view(-1, WHOLE_BYTES)]
    assert integers(read).tolist() == expected


def test_drawn_limbs_are_in_their_ranges_and_all_bits_of_them_vary() -> None:
    drawn = Coefficients.drawn(Keystream(os.urandom(16)), torch.Size([1000]))
    ones: Any = np.array([list(map(int, f"{each:0136b}")) for each in integers(drawn)]).sum(0)
    # 136 bits of 1000 draws, six standard deviations of 15.8 each.
    assert (np.abs(ones - 500) < 95).all()
