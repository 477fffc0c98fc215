"""What parties see of a whole step of training looks as if it were made without the others' secrets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from mdl.mpc.engine import Engine
from mdl.mpc.keystream import Keystream
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rounds import play
from mdl.mpc.training import step
from tests.mpc.parties import shared, three
from tests.mpc.tapes import torch_type
from tests.mpc.trained import BITS, Batch, convolutional, dense

RUNS = 12
"""Steps with other keys, whose messages at the same place are looked at together."""

UNLIKELY = 1e-10
"""Of some thousand statistics none is below this, if all is as it should be."""

Words: TypeAlias = NDArray[np.integer[Any]]
Make: TypeAlias = Callable[[], tuple[nn.Sequential, list[Batch]]]


@dataclass(frozen=True)
class View:
    """A party's, of several steps one after the other.

    Attributes:
        received: what came, message by message.
        drawn: from its keystreams, draw by draw.
    """

    received: Sequence[Words]
    drawn: Sequence[Words]


class Recorded(Keystream):
    """Remembers what was drawn."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.words: list[Tensor] = []

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        self.words.append(super().draw(shape, dtype))
        return self.words[-1].clone()

    def draw_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        array = super().draw_array(shape, dtype)
        self.words.append(torch.from_numpy(array))
        return array.copy()


class Repeating(Recorded):
    """Begins anew with every draw, as no keystream must."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._key = key

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        self.words.append(Keystream(self._key).draw(shape, dtype))
        return self.words[-1].clone()

    def draw_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self.draw(torch.Size(shape), torch_type(dtype)).numpy()


class Still(Recorded):
    """Gives zeros, which mask nothing."""

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.zeros(shape, dtype=dtype)

    def draw_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.zeros(shape, dtype)


def views(make: Make, keystream: type[Recorded] = Recorded) -> list[View]:
    """Let three parties train a step with zeros, which nothing but masks would hide."""
    network, batches = make()
    images, labels = (torch.zeros_like(each) for each in batches[0])

    async def program(engine: Engine) -> None:
        values, targets = await shared(engine, images), await shared(engine, labels, 1)
        await step(engine, secretly(engine, network), Sgd(0.1, BITS), values, targets)

    received: list[list[list[Tensor]]] = []
    drawn: list[list[list[Tensor]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdl.mpc.rep3.engine.Keystream", keystream)
        for _ in range(RUNS):
            engines = three()
            _, traffic = play({engine.party: program(engine) for engine in engines})
            received.append([[m for _, _, to, m in traffic.messages if to == party] for party in range(3)])
            drawn.append(
                [
                    [word for stream in (engine._mine, engine._next) for word in stream.words]  # type: ignore[attr-defined]
                    for engine in engines
                ]
            )
    return [
        View(_joined([run[party] for run in received]), _joined([run[party] for run in drawn]))
        for party in range(3)
    ]


def _joined(runs: Sequence[Sequence[Tensor]]) -> list[Words]:
    return [
        np.concatenate([each.contiguous().reshape(-1).numpy() for each in column])
        for column in zip(*runs, strict=True)
    ]


def evenness(words: Words) -> float:
    """Give the p-value of all bytes being equally likely; of half bytes where there are few."""
    found, kinds = words.view(np.uint8), 256
    if len(found) < 5 * kinds:
        found, kinds = np.concatenate([found & 15, found >> 4]), 16
    counts = np.bincount(found, minlength=kinds)
    expected = len(found) / kinds
    return float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), kinds - 1))


def of_messages(view: View) -> list[float]:
    """Are messages uniform?"""
    return [evenness(words) for words in view.received]


def of_pairs(view: View) -> list[float]:
    """Is what one message has more than another, or more than what the party drew itself, uniform?

    It is not where both have the same mask.
    """
    mine = [(words, True) for words in view.received] + [(words, False) for words in view.drawn]
    found = []
    for (one, came), (other, also) in combinations(mine, 2):
        if (came or also) and (one.dtype, one.shape) == (other.dtype, other.shape):
            found += [evenness(one - other), evenness(one ^ other)]
    return found


def simulated(view: View) -> View:
    """Make a view from what the party has itself: what it draws, and what it knows of sizes."""
    rng = np.random.default_rng(3)
    return replace(
        view,
        received=[rng.integers(0, 256, each.nbytes, np.uint8).view(each.dtype) for each in view.received],
    )


@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("statistics", [of_messages, of_pairs])
def test_no_statistic_tells_a_view_from_a_simulated_one(
    make: Make, statistics: Callable[[View], list[float]]
) -> None:
    for view in views(make):
        found, expected = statistics(view), statistics(simulated(view))
        assert len(found) > 20
        assert min(found) > UNLIKELY
        assert stats.ks_2samp(found, expected).pvalue > 1e-7


def test_messages_without_masks_would_be_noticed() -> None:
    assert all(min(of_messages(view)) < UNLIKELY for view in views(dense, Still))


def test_a_keystream_used_twice_would_be_noticed() -> None:
    for view in views(dense, Repeating):
        assert min(of_pairs(view)) < UNLIKELY
