"""Two parties ask each other's networks, in the same rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mdl.mpc.blind.asking import Weights, answers, prepared
from mdl.mpc.blind.plan import Step
from mdl.mpc.blind.sources import Side, Source
from mdl.mpc.blind.telling import Answers, told
from mdl.mpc.blind.translation import encoded, weights_of
from mdl.mpc.rounds import phase, together
from mdl.party import PartyId
from mdl.vectors import Floats, Integers

OFFLINE: Final = "offline: randomness"
ONLINE: Final = "online: answers"


@dataclass(frozen=True)
class Question:
    """One direction, as all know it.

    Attributes:
        asker: 0 or 1.
        rows: how many images it has.
        shape: of one.
        steps: of the other one's network.
        answers: what the asker is told.
    """

    asker: PartyId
    rows: int
    shape: Sequence[int]
    steps: Sequence[Step]
    answers: Answers


@dataclass(frozen=True)
class Own:
    """What a party brings.

    Attributes:
        images: to ask with, shape (rows, ...), of `FRACTION_BITS`; None for a dealer, or one who does not
            ask.
        weights: of its network; None for a dealer.
        noise: to be added to the scores that it answers with; None for none.
    """

    images: Tensor | None = None
    weights: Sequence[Weights] | None = None
    noise: Tensor | None = None


def brought(network: nn.Module, images: Floats, noise: Integers | None) -> Own:
    """Encode what an owner brings.

    Args:
        network: without `mdl.mpc.blind.fitness.problems`.
        images: to ask with, shape (rows, ...).
        noise: on its answers, shape (rows, classes), of `FRACTION_BITS`; None for none.

    Raises:
        OutOfRange: a weight or a pixel is too large.
    """
    added = None if noise is None else torch.from_numpy(noise)
    return Own(encoded(torch.from_numpy(images)), weights_of(network), added)


async def asked(
    number: PartyId, source: Source, questions: Sequence[Question], own: Own
) -> Mapping[PartyId, Tensor]:
    """Answer questions side by side.

    Args:
        number: of the party: 0, 1, or 2 for a dealer.
        source: of correlated randomness.
        questions: at most one from each of the two.
        own: what this party brings.

    Returns:
        By asker the answers, shape (rows, classes), float32; zeros at all but the asker.
    """
    sides = [Side(number, question.asker) for question in questions]
    pairs = list(zip(sides, questions, strict=True))
    weights = [own.weights if side.owns else None for side in sides]
    material = await phase(
        OFFLINE,
        together(
            *(
                prepared(side, source, question.steps, question.rows, owned)
                for (side, question), owned in zip(pairs, weights, strict=True)
            )
        ),
    )
    shares = await phase(
        ONLINE,
        together(
            *(
                answers(side, source, question.steps, made, _images(side, question, own), owned)
                for (side, question), made, owned in zip(pairs, material, weights, strict=True)
            )
        ),
    )
    found = await phase(
        ONLINE,
        together(
            *(
                told(side, source, share, question.answers, own.noise if side.owns else None)
                for (side, question), share in zip(pairs, shares, strict=True)
            )
        ),
    )
    return {question.asker: each for question, each in zip(questions, found, strict=True)}


def _images(side: Side, question: Question, own: Own) -> Tensor:
    if side.asks:
        assert own.images is not None
        return own.images
    return torch.zeros(question.rows, *question.shape, dtype=torch.int64)
