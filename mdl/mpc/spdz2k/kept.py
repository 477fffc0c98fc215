"""Secrets that were kept when a run stopped, under the key of another start.

A key lives for one start; who has guessed or learnt it gains nothing in the next one. So of what a holder has
kept only the public part and its share of the mask count, and of what the dealer has kept the mask: it deals
MACs of it under the new key.

Operations that look at the public part alone, and at what the dealer makes of the mask, would not notice that
these are of different epochs or starts. So before anything is computed, a random combination of all that was
kept is opened, hidden by a mask that serves for nothing else, and verified. If holders' shares are not of the
dealer's masks, that is noticed but for a probability of 2^(-40 + log2 41) [CDESX18, MACCheck]; if public
parts are not the same, by their hashes. A holder that deviates knows the factors, and can make up for a share
of its own that is wrong: so it could at any opening, and what counts is what the dealer has kept.
"""

from collections.abc import Sequence
from typing import Final

import torch

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import Keystream
from mdl.mpc.rounds import Protocol
from mdl.mpc.secret import Secret, concatenated, of_wide, wide_parts
from mdl.mpc.spdz2k.macs import MAC_BITS
from mdl.mpc.wide import Wide, combined

ONE: Final = torch.Size([1])
"""The shape of the mask that hides the combination."""


def joined(secrets: Sequence[Secret]) -> tuple[Wide, ...]:
    """Give the parts of all secrets, each as one vector."""
    return wide_parts(concatenated([secret.reshape(-1) for secret in secrets]))


def extended(numbers: Wide, last: Wide) -> Wide:
    """Put the hiding mask after a vector."""
    return combined([numbers, last], lambda parts: torch.cat(list(parts)))


def combinations(common: Keystream, *vectors: Wide) -> list[Wide]:
    """Combine each vector's entries by the same random factors; that of the hiding mask is one."""
    count = vectors[0].shape.numel() - 1
    drawn = common.draw(torch.Size([count])) & (1 << MAC_BITS) - 1
    factors = torch.cat((drawn, torch.ones(1, dtype=torch.int64)))
    return [(vector * factors).sum(0).reshape(1) for vector in vectors]


async def verified(check: Protocol[None]) -> None:
    """Verify what was opened.

    Raises:
        CheatingDetected: not all have kept the same.
    """
    try:
        await check
    except CheatingDetected as found:
        what = "checkpoints are not of the same epoch and start, or changed"
        raise CheatingDetected(what, found.culprits) from None


def parted(vectors: Sequence[Wide], like: Sequence[Secret]) -> list[Secret]:
    """Make secrets of `joined` parts; what comes after them is left out."""
    found, first = [], 0
    for secret in like:
        end = first + secret.shape.numel()
        parts = [vector[first:end].reshape(*secret.shape) for vector in vectors]
        found.append(of_wide(parts, secret.units))
        first = end
    return found
