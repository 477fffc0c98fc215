import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mdl.learning.seeds import Purpose, generator, torch_seed

seeds = st.integers(0, 2**63)


@given(seed=seeds, place=st.lists(st.integers(0, 1000), max_size=2))
def test_a_stream_is_the_same_each_time(seed: int, place: list[int]) -> None:
    first, again = (generator(seed, Purpose.DATA_ORDER, *place).random(4) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@given(seed=seeds)
def test_purposes_and_places_have_streams_of_their_own(seed: int) -> None:
    drawn = {torch_seed(seed, purpose, party) for purpose in Purpose for party in range(4)}
    assert len(drawn) == 4 * len(Purpose)
