"""Two parties and a dealer in one thread, and networks to ask."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mdl.activations import Centred, Quadratic
from mdl.mpc.blind.both_ways import Own, Question, asked
from mdl.mpc.blind.dealt import Dealing, Dealt
from mdl.mpc.blind.plan import steps
from mdl.mpc.blind.setup import dealt
from mdl.mpc.blind.sources import Source
from mdl.mpc.blind.telling import Answers
from mdl.mpc.blind.translation import encoded, plan_of, weights_of
from mdl.mpc.rounds import Traffic, play
from mdl.schemes.randomness import SystemRandomness

DEALER = 2
UNIT = 2.0**-12
"""Of the grid that activations are on."""


def small(act: type[nn.Module] = Quadratic) -> nn.Sequential:
    """Means before an activation and after one, for images of 2x6x6."""
    return nn.Sequential(
        Centred(0.25, 1),
        nn.Conv2d(2, 3, 3, 1, 1),
        nn.AvgPool2d(2),
        act(),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.BatchNorm2d(4),
        act(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(4, 5),
    ).eval()


def convnet() -> nn.Sequential:
    """10,986 parameters."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2),
        nn.AvgPool2d(2),
        Quadratic(),
        nn.Conv2d(16, 32, 3, 1, 1),
        nn.AvgPool2d(2),
        Quadratic(),
        nn.Flatten(),
        nn.Linear(512, 10),
    ).eval()


SHAPE = (2, 6, 6)


def sources() -> dict[int, Source]:
    """Begin, with fresh keys."""
    found, _ = play({party: dealt(party, SystemRandomness()) for party in range(3)})
    return found


@dataclass(frozen=True)
class Asking:
    """Somebody's images, and the network that is asked."""

    images: Tensor
    network: nn.Sequential
    answers: Answers = "scores"
    noise: Tensor | None = None


def answered(askings: Mapping[int, Asking], made: Mapping[int, Source]) -> tuple[dict[int, Tensor], Traffic]:
    """Let those named ask; give what each is told, and what was sent."""
    questions = [
        Question(
            asker,
            len(each.images),
            each.images.shape[1:],
            steps(plan_of(each.network), tuple(each.images.shape[1:])),
            each.answers,
        )
        for asker, each in sorted(askings.items())
    ]
    found, traffic = play(
        {party: asked(party, source, questions, _brought(party, askings)) for party, source in made.items()}
    )
    for party, told in found.items():
        for asker, scores in told.items():
            assert party == asker or not scores.any()
    assert_equally_far(made)
    return {asker: found[asker][asker] for asker in askings}, traffic


def _brought(party: int, askings: Mapping[int, Asking]) -> Own:
    if party == DEALER:
        return Own()
    mine, other = askings.get(party), askings.get(1 - party)
    return Own(
        None if mine is None else encoded(mine.images),
        None if other is None else weights_of(other.network),
        None if other is None else other.noise,
    )


def assert_equally_far(made: Mapping[int, Source]) -> None:
    """All who have a key in common have drawn as much from it."""
    dealing = made.get(DEALER)
    if not isinstance(dealing, Dealing):
        return
    for party, stream in dealing._streams.items():
        source = made[party]
        assert isinstance(source, Dealt)
        assert source._stream.drawn_bytes == stream.drawn_bytes


def between(traffic: Traffic, parties: Sequence[int] = (0, 1)) -> int:
    """Give the bytes that some parties have sent."""
    return sum(traffic.sent_bytes[party] for party in parties)


def images(count: int, shape: Sequence[int] = SHAPE) -> Tensor:
    """Draw images in [0, 1)."""
    return torch.rand(count, *shape)


def key() -> bytes:
    """Draw a key."""
    return os.urandom(16)
