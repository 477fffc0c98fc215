from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.rlwe import KeySharingName, Rlwe
from tests.conformance.threshold_encryption import HIDING, SCENARIOS, Case, Scenario, title

SMALL: Final = FixedPoint(range=4, fraction_bits=4)


def insecure_toy(keys: KeySharingName, *, block: int = 5, degree: int = 4) -> Rlwe:
    """A degree that hides nothing; rows of more than one polynomial, the last one partly filled."""
    return Rlwe(
        block=block,
        threshold=3,
        workers=6,
        fixed_point=SMALL,
        members_limit=4,
        keys=keys,
        degree=degree,
    )


CASES: Final = [
    Case(f"insecure toy, {keys} keys", insecure_toy(keys), block=5, limit=SMALL.limit, members_limit=4)
    for keys in ("prss", "shamir")
]


@pytest.mark.parametrize("case", CASES, ids=title)
@pytest.mark.parametrize("scenario", [*SCENARIOS, *HIDING], ids=title)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_masks_keep_the_contract(scenario: Scenario, case: Case, data: st.DataObject) -> None:
    scenario(case, data)
