"""The printed exchange opens the right sums, and its groups are what they claim."""

import pytest
from gmpy2 import is_prime

from mdl.errors import SchemeError
from mdl.reproduction.printed_steps import measure_printed
from mdl.schemes.printed_groups import BELOW, printed_group


@pytest.mark.parametrize("bits", sorted(BELOW))
def test_the_groups_are_safe_primes_of_their_size(bits: int) -> None:
    group = printed_group(bits)
    assert group.p.bit_length() == bits
    assert is_prime(group.p)
    assert is_prime(group.q)
    assert group.p == 2 * group.q + 1


@pytest.mark.parametrize("members", [1, 4, 16])
def test_every_step_takes_time_and_the_sums_are_right(members: int) -> None:
    """The measurement itself raises where they are not."""
    seconds = measure_printed(256, members, values=20, runs=1)
    assert all(cost > 0 for cost in seconds.to_json().values())


def test_more_members_than_a_key_has_room_for_are_refused() -> None:
    with pytest.raises(SchemeError, match="bits"):
        measure_printed(256, 17, values=2, runs=1)


def test_the_powers_of_longer_keys_cost_more() -> None:
    short, long = (measure_printed(bits, 2, values=20, runs=3) for bits in (256, 1024))
    assert long.encrypt > 5 * short.encrypt
    assert long.share > 5 * short.share
