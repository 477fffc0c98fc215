"""What runs in a party's crypto pool: batches of a scheme's steps, with the system's randomness.

Pool processes start by importing this module, so it imports little: schemes, but no system, no settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.threshold import AnswersTogether, Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.vectors import Integers

Request: TypeAlias = tuple[list[bytes], Context]
"""What a decryption share is asked for: the members' hints, and what they are about."""


def encrypted(
    scheme: ThresholdEncryption,
    public_key: bytes,
    key_share: KeyShare,
    plaintexts: Sequence[Integers],
    contexts: Sequence[Context],
) -> list[Ciphertext]:
    """Encrypt each plaintext in its context, with the operating system's randomness."""
    rng = SystemRandomness()
    return [
        scheme.encrypt(public_key, key_share, plaintext, context, rng=rng)
        for plaintext, context in zip(plaintexts, contexts, strict=True)
    ]


def shares_of(scheme: ThresholdEncryption, key_share: KeyShare, requests: Sequence[Request]) -> list[bytes]:
    """Make one decryption share a request."""
    if isinstance(scheme, AnswersTogether):
        return list(scheme.decryption_shares(key_share, requests))
    rng = SystemRandomness()
    return [scheme.decryption_share(key_share, hints, context, rng=rng) for hints, context in requests]


@dataclass(frozen=True)
class Opening:
    """All that is needed to open one group of blocks."""

    bodies: Sequence[bytes]
    shares: Mapping[PartyId, tuple[tuple[PartyId, ...], bytes]]
    context: Context


def combined(scheme: ThresholdEncryption, openings: Sequence[Opening]) -> list[Integers]:
    """Add the bodies and combine the shares of each group."""
    return [_open_one(scheme, opening) for opening in openings]


def _open_one(scheme: ThresholdEncryption, opening: Opening) -> Integers:
    context = opening.context
    shares = {
        opener: share
        if made_for == context.openers
        else scheme.rebase(share, opener, replace(context, openers=made_for), context.openers)
        for opener, (made_for, share) in opening.shares.items()
    }
    return scheme.combine(scheme.add(opening.bodies, context), shares, context)
