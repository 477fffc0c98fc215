"""Fields, interpolation and sharing: any t shares of a secret are uniform, any t + 1 give it back."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import FIELD_127
from mdl.mpc.shamir.circle import Circle, Streams
from mdl.mpc.shamir.fields import Binary, Prime
from mdl.mpc.shamir.scalars import BinaryScalars, PrimeScalars, Scalars, interpolation, powers
from mdl.mpc.shamir.sharing import Sharing
from mdl.mpc.wide import Wide
from tests.mpc.test_wide import integers

FIELDS: list[Scalars] = [PrimeScalars(FIELD_127.modulus), *(BinaryScalars(degree) for degree in (2, 3, 4))]


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_they_are_fields(degree: int) -> None:
    field = BinaryScalars(degree)
    everything = range(1 << degree)
    for a, b, c in product(everything, repeat=3):
        assert field.times(a, b) == field.times(b, a)
        assert field.times(a, field.minus(b, c)) == field.minus(field.times(a, b), field.times(a, c))
        assert field.times(field.times(a, b), c) == field.times(a, field.times(b, c))
    assert all(field.times(a, field.inverse(a)) == 1 for a in everything if a)


@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
def test_a_polynomial_is_found_from_its_values(field: Scalars, data: st.DataObject) -> None:
    points = data.draw(st.permutations(range(4)))
    coefficients = data.draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))

    def at(point: int) -> int:
        value = 0
        for coefficient in coefficients:
            value = field.minus(field.times(value, point), field.minus(0, coefficient))
        return value

    (row,) = interpolation(field, tuple(points[:3]), tuple(points[3:]))
    total = 0
    for factor, point in zip(row, points, strict=False):
        total = field.minus(total, field.minus(0, field.times(factor, at(point))))
    assert total == at(points[3])


@pytest.mark.parametrize("field", FIELDS[:2])
def test_powers_are_powers(field: Scalars) -> None:
    assert powers(field, (1, 2, 3), 3)[0] == (1, 1, 1)
    assert powers(field, (1, 2, 3), 3)[2] == (1, field.times(2, 2), field.times(3, 3))


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_words_are_computed_with_bit_by_bit(degree: int) -> None:
    field = Binary(degree)
    elements = torch.arange(1 << degree)
    one, two = (each.reshape(-1) for each in torch.meshgrid(elements, elements, indexing="ij"))

    def planes(values: Tensor) -> Tensor:
        """Every element in bit 6 of an own word."""
        return torch.stack([(values >> place & 1) << 6 for place in range(degree)]).to(torch.uint8)

    scalars = BinaryScalars(degree)
    expected = [scalars.times(a, b) for a, b in zip(one.tolist(), two.tolist(), strict=True)]
    assert torch.equal(field.times(planes(one), planes(two)), planes(torch.tensor(expected)))
    found = field.combined(((3, 2), (1, 0)), [planes(one), planes(two)])
    for row, (three, other) in zip(found, [(3, 2), (1, 0)], strict=True):
        values = [
            scalars.times(three, a) ^ scalars.times(other, b)
            for a, b in zip(one.tolist(), two.tolist(), strict=True)
        ]
        assert torch.equal(row, planes(torch.tensor(values)))


def test_integers_are_combined_with_fractions() -> None:
    field = Prime()
    values = [Wide.of(torch.tensor(each), FIELD_127) for each in ([5, -7], [1, 2])]
    half = (FIELD_127.modulus + 1) // 2
    assert [row.signed().tolist() for row in field.combined(((2, -3), (1, 1)), values)] == [[7, -20], [6, -5]]
    (row,) = field.combined(((half, half),), values)
    assert (row * 2).signed().tolist() == [6, -5]


@pytest.mark.parametrize("holders", range(3, 16))
def test_so_they_are_with_all_factors_of_up_to_fifteen_parties(holders: int) -> None:
    prime, stream = FIELD_127.modulus, Keystream(bytes(16))
    for party in {0, 1, holders // 2, 2 * ((holders - 1) // 2)}:
        sharing = Sharing(Circle(party, holders), Prime(), Streams(stream, {}, {}))
        for matrix in (
            *(sharing._dealing, sharing._opening, sharing._completing),
            *(sharing._extracting, sharing._finding),
        ):
            vectors = [Wide.drawn(stream, torch.Size([3]), FIELD_127) for _ in matrix[0]]
            values = np.array([integers(vector) for vector in vectors])
            found = sharing.field.combined(matrix, vectors)
            expected = np.array(matrix, dtype=object) @ values % prime
            assert (np.array([integers(row) for row in found]) == expected).all()


class Tape(Keystream):
    """Every value in turn, and nothing random: the bits of a count, from one place on."""

    def __init__(self, place: int) -> None:
        super().__init__(bytes(16))
        self._place = place

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        count = torch.arange(shape[1])
        return torch.stack([count >> self._place + plane & 1 for plane in range(shape[0])]).to(dtype)


@pytest.mark.parametrize("holders", [3, 4, 5, 6])
@pytest.mark.parametrize("secret", [0, 1])
def test_over_all_randomness_any_t_shares_are_uniform_and_one_more_tells(holders: int, secret: int) -> None:
    degree, threshold = holders.bit_length(), (holders - 1) // 2
    count = 1 << degree * threshold
    tapes = {party: Tape(degree * index) for index, party in enumerate(Circle(1, holders).after(1))}
    dealer = Sharing(Circle(1, holders), Binary(degree), Streams(Keystream(bytes(16)), tapes, {}))
    word = torch.zeros(degree, count, dtype=torch.uint8)
    word[0] = secret
    hand = dealer.hand([1], word, count)
    shares = {
        1: hand.shares([])[0],
        **{party: tape.draw(word.shape, word.dtype) for party, tape in tapes.items()},
    }
    shares |= dict(hand.sends)
    assert len(shares) == holders
    for some in combinations(range(holders), threshold):
        seen = torch.cat([shares[party] for party in some]).t().tolist()
        assert len({tuple(each) for each in seen}) == count
    for some in combinations(range(holders), threshold + 1):
        row = interpolation(BinaryScalars(degree), tuple(party + 1 for party in some), (0,))
        (found,) = Binary(degree).combined(row, [shares[party] for party in some])
        assert torch.equal(found, word)
