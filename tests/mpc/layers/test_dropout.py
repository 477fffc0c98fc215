"""Dropout: as many numbers are dropped as said, and gradients of the same ones."""

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from mdl.mpc.engine import Engine
from mdl.mpc.layers import Dropout
from mdl.mpc.networks import secretly
from tests.mpc.parties import Program, plainly, replicated, shared

SIZE = (200, 150)


def there_and_back(coins: int) -> Program[tuple[Tensor, Tensor]]:
    async def program(engine: Engine) -> tuple[Tensor, Tensor]:
        layer = Dropout(coins)
        ones = await shared(engine, torch.full(SIZE, 1 << 16))
        values = await layer.forward(engine, ones, training=True)
        back = await layer.backward(engine, ones * 3)
        return await engine.open(values), await engine.open(back)

    return program


@pytest.mark.parametrize("coins", [1, 2, 3])
def test_so_many_are_dropped_and_the_others_make_up_for_it(coins: int) -> None:
    (values, back), _ = replicated(there_and_back(coins))
    dropped = values == 0
    chance = 2.0**-coins
    assert stats.binomtest(int(dropped.sum()), dropped.numel(), chance).pvalue > 1e-7
    grown = 2**16 / (1 - chance)
    assert float((values[~dropped] - grown).abs().max()) <= 1
    assert torch.equal(back == 0, dropped)
    assert float((back[~dropped] - 3 * grown).abs().max()) <= 3


def test_masks_are_fresh() -> None:
    async def program(engine: Engine) -> tuple[Tensor, Tensor]:
        layer = Dropout(1)
        ones = await shared(engine, torch.full(SIZE, 1 << 16))
        one, other = [await layer.forward(engine, ones, training=True) for _ in range(2)]
        return await engine.open(one), await engine.open(other)

    one, other = replicated(program)[0]
    agreeing = int(((one == 0) == (other == 0)).sum())
    assert stats.binomtest(agreeing, one.numel()).pvalue > 1e-7


def test_nothing_is_dropped_in_scoring() -> None:
    async def program(engine: Engine) -> Tensor:
        network = secretly(engine, nn.Sequential(nn.Dropout(0.25)))
        return await engine.open(await network.forward(engine, await shared(engine, torch.arange(40))))

    assert torch.equal(plainly(program), torch.arange(40))
    assert torch.equal(replicated(program)[0], torch.arange(40))
