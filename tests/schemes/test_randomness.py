import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.randomness import SystemRandomness, insecure_seeded
from mdl.system import Randomness

SOURCES: list[Randomness] = [SystemRandomness(), insecure_seeded(1)]


@pytest.mark.parametrize("source", SOURCES)
@given(bound=st.integers(1, 1 << 300))
def test_draws_are_below_their_bound(source: Randomness, bound: int) -> None:
    assert 0 <= source.below(bound) < bound


@pytest.mark.parametrize("source", SOURCES)
def test_as_many_bytes_come_as_were_asked_for(source: Randomness) -> None:
    assert [len(source.bytes(count)) for count in (0, 1, 33)] == [0, 1, 33]


@pytest.mark.parametrize("source", SOURCES)
def test_no_two_long_draws_are_alike(source: Randomness) -> None:
    draws = {source.bytes(16) for _ in range(100)} | {
        source.below(1 << 128).to_bytes(16, "big") for _ in range(100)
    }
    assert len(draws) == 200


def test_every_value_below_a_bound_is_as_likely() -> None:
    source, bound, draws = insecure_seeded(2), 5, 5000
    counts = Counter(source.below(bound) for _ in range(draws))
    # Chi-square with 4 degrees of freedom exceeds 18.5 once in a thousand; the seed is fixed.
    assert sum((counts[value] - draws / bound) ** 2 for value in range(bound)) / (draws / bound) < 18.5


def test_equal_seeds_give_equal_draws() -> None:
    first, second, other = insecure_seeded(3), insecure_seeded(3), insecure_seeded(4)
    drawn = [first.bytes(8), first.below(1 << 64)]
    assert drawn == [second.bytes(8), second.below(1 << 64)]
    assert drawn != [other.bytes(8), other.below(1 << 64)]


def test_the_seeded_stream_does_not_change() -> None:
    assert insecure_seeded(0).bytes(8).hex() == "e88b391e1fc08af6"


def test_the_systems_randomness_holds_nothing_that_a_copy_could_repeat() -> None:
    source = SystemRandomness()
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert source.bytes(16) != copy.bytes(16)
