"""The loss and the count of right answers in secret are those in floats."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.training import loss, right_answers, step
from tests.mpc.parties import Program, plainly, replicated, shared
from tests.mpc.trained import BITS, convolutional, dense


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def losses(make: Callable[..., Any]) -> tuple[Program[Tensor], float]:
    """The loss of a first step, in secret and in floats."""
    network, batches = make()
    images, labels = batches[0]
    network[-1].weight.data *= 8  # sharper answers, of which some are very wrong

    async def program(engine: Engine) -> Tensor:
        values, targets = await shared(engine, images), await shared(engine, labels, 1)
        answers = await step(engine, secretly(engine, network), Sgd(0.1, BITS), values, targets)
        return await engine.open(await loss(engine, answers, targets))

    scores = network.double()(decoded(images)).detach()
    return program, float(-(log_softmax(scores, 1) * labels).sum())


@pytest.mark.parametrize("make", [dense, convolutional])
def test_the_loss_is_the_cross_entropy(make: Callable[..., Any]) -> None:
    program, expected = losses(make)
    found, _ = replicated(program)
    assert found.shape == (1,)
    assert float(decoded(found)) == pytest.approx(expected, abs=0.02)


def test_rounded_to_the_nearest_three_parties_find_the_same_loss_as_one() -> None:
    program, _ = losses(dense)
    assert torch.equal(replicated(program, "nearest")[0], plainly(program))


def test_right_answers_are_counted() -> None:
    network, batches = convolutional()

    async def program(engine: Engine) -> Tensor:
        images, labels = batches[0]
        values, targets = await shared(engine, images), await shared(engine, labels, 1)
        return await engine.open(await right_answers(engine, secretly(engine, network), values, targets))

    scores = network.double()(decoded(batches[0][0]))
    expected = int((scores.argmax(1) == batches[0][1].argmax(1)).sum())
    assert replicated(program)[0].tolist() == [expected]
