"""The inverse square root is near over the whole range, with few bytes, and the same for all engines."""

import pytest
import torch
from torch import Tensor

from mdl.mpc import functions
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.secret import Secret
from tests.mpc.parties import opened, plainly, replicated


def everywhere(each: int = 40) -> Tensor:
    """Integers of 1 to 31 digits: the powers of two, what is beside them, and others."""
    generator = torch.Generator().manual_seed(4)
    powers = 2 ** torch.arange(31)
    some = (powers[:, None] * (1 + torch.rand(31, each, generator=generator).double())).long().flatten()
    beside = torch.cat([powers, powers - 1, powers + 1, torch.tensor([2**31 - 1])])
    found = torch.cat([some, beside])
    return found[(found > 0) & (found < 2**31)]


async def coarse(engine: Engine, secret: Secret) -> Secret:
    return await functions.inverse_square_root(engine, secret)


async def fine(engine: Engine, secret: Secret) -> Secret:
    return await functions.inverse_square_root(engine, secret, newton=1)


@pytest.mark.parametrize(("function", "within"), [(coarse, 0.003), (fine, 0.0001)])
def test_it_is_near_over_the_whole_range(function: object, within: float) -> None:
    given = everywhere()
    found, _ = replicated(opened(function, given))  # type: ignore[arg-type]
    ratio = decoded(found, fraction_bits=functions.ROOT_BITS) * decoded(given).sqrt()
    assert float((ratio - 1).abs().max()) < within


@pytest.mark.parametrize("function", [coarse, fine])
def test_rounded_to_the_nearest_three_parties_agree_with_one_on_every_bit(function: object) -> None:
    program = opened(function, torch.cat([everywhere(9), torch.tensor([0])]))  # type: ignore[arg-type]
    assert torch.equal(replicated(program, "nearest")[0], plainly(program))


def test_of_zero_it_is_large() -> None:
    found = plainly(opened(coarse, torch.tensor([0])))
    assert 256 < float(decoded(found, fraction_bits=functions.ROOT_BITS)) < 1024


def test_shapes_are_kept() -> None:
    assert plainly(opened(coarse, everywhere(2)[:12].reshape(2, 3, 2))).shape == (2, 3, 2)


def test_messages_are_as_small_and_as_few_as_said() -> None:
    count = 9_000
    _, traffic = replicated(opened(coarse, torch.full((count,), 7)))
    bits, prefixes, integers, products = 120, 60, 15 * 24, 3 * 30 + 36
    entry = 8 + bits + prefixes + integers + products + 24
    assert sum(traffic.sent_bytes.values()) == entry * count
    assert traffic.rounds == 1 + 7 + 5 + 2 + 4 * 2 + 1
