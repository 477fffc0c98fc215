"""How the asker comes by the answers: as scores, rounded ones, or labels alone."""

from typing import Final, Literal, TypeAlias

import torch
from torch import Tensor

from mdl.mpc.blind.arithmetic import FRACTION_BITS, quotient
from mdl.mpc.blind.sources import Side, Source
from mdl.mpc.functions.softmax import largest
from mdl.mpc.rounds import Exchange, Wanted, together

Answers: TypeAlias = Literal["scores", "rounded", "labels"]

ROUNDED_BITS: Final = 2
"""Fraction bits of rounded scores: quarters."""

_TOLD: Final = torch.int32
"""Words in which scores are told: of 12 fraction bits they reach as far as ±2^19, of two further."""


async def told(side: Side, source: Source, share: Tensor, answers: Answers, noise: Tensor | None) -> Tensor:
    """Tell the asker, and nobody else, the scores that are shared; or what is to be told of them.

    Args:
        side: the party's.
        source: with an engine, where labels are asked for.
        share: this party's of the scores, shape (rows, classes), of `FRACTION_BITS`.
        answers: ``scores`` as they are, in ±2^19, beyond which they go round; ``rounded`` to quarters, up or
            down, in ±2^29; ``labels``, one for the largest score and zero for the others.
        noise: what the owner adds first, of the same shape and fraction bits; None at others, or for none.

    Returns:
        At the asker the answers, float32, shape (rows, classes); at others zeros.
    """
    if noise is not None:
        share = share + noise
    match answers:
        case "scores":
            return (await _handed(side, share.to(_TOLD))) * 2.0**-FRACTION_BITS
        case "rounded":
            drop = FRACTION_BITS - ROUNDED_BITS
            rounded = quotient(share, drop, first=side.party == 0).to(_TOLD)
            return (await _handed(side, rounded)) * 2.0**-ROUNDED_BITS
        case "labels":
            return (await _label(side, source, share)).float()


async def _handed(side: Side, share: Tensor) -> Tensor:
    """Let the owner send its share in words of a type, of which the sum is read: one round."""
    if side.owns:
        await Exchange([(side.asker, share)])
    elif side.asks:
        (other,) = await Exchange((), [Wanted(side.owner, share.shape, share.dtype)])
        return share + other
    else:
        await Exchange()
    return torch.zeros_like(share)


async def _label(side: Side, source: Source, share: Tensor) -> Tensor:
    """Find the largest score in secret, and tell the asker which it is."""
    engine = source.engine
    assert engine is not None, "labels are refused where nothing compares"
    parts = [engine.share(party, share if side.party == party else None, share.shape) for party in (0, 1)]
    one, two = await together(*parts)
    where = await largest(engine, one + two)
    found = await engine.open_to(side.asker, await engine.integers(where))
    return torch.zeros_like(share) if found is None else found
