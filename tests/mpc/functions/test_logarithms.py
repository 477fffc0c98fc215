"""Logarithms are near the true ones over the whole range, and the same for all engines."""

import torch

from mdl.mpc import functions
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.secret import Secret
from tests.mpc.functions.test_roots import everywhere
from tests.mpc.parties import opened, plainly, replicated


async def logarithms(engine: Engine, secret: Secret) -> Secret:
    return await functions.logarithms(engine, secret)


def test_logarithms_are_near_over_the_whole_range() -> None:
    given = everywhere()
    found, _ = replicated(opened(logarithms, given))
    assert float((decoded(found) - decoded(given).log()).abs().max()) < 2**-13


def test_the_logarithm_of_one_is_zero_within_two_units() -> None:
    found = plainly(opened(logarithms, torch.tensor([1 << 16])))
    assert abs(int(found)) <= 2


def test_rounded_to_the_nearest_three_parties_agree_with_one_on_every_bit() -> None:
    program = opened(logarithms, everywhere(5))
    assert torch.equal(replicated(program, "nearest")[0], plainly(program))
