"""Attacks of those who follow the protocol and put together what they know.

Each takes a view and gives what it makes of it: a guess, by the contributions it is a guess about. Whether a
guess is right only the truth can tell; an attack that gives no guess has found an element that stands for no
gradient.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import TypeAlias

import numpy as np
from gmpy2 import mpz, powmod

from mdl.audit.views import Elements, Encrypted, Part, View
from mdl.errors import OutOfRange
from mdl.party import PartyId
from mdl.schemes.encodings import encoding
from mdl.schemes.groups import modular_group
from mdl.schemes.modular import ModularGroup
from mdl.schemes.shamir import lagrange_at_zero
from mdl.vectors import Integers

Guesses: TypeAlias = Mapping[frozenset[Part], Integers]
"""By the contributions whose sum it is meant to be (one for a single gradient): shape (parameters,)."""

Secrets: TypeAlias = Mapping[PartyId, int]
"""Key shares of the workers that collude with the manager; empty where it is alone."""


def single_gradients(view: View, colluders: Secrets) -> Guesses:
    """Open single contributions by interpolating what is held of their masks.

    On ∝MDL^d as printed: the l-th arrival's mask is shared out to l - 1 members when it comes, so that the
    manager alone opens every rank above m, and with c workers from outside every rank above m - c.
    """
    found = {}
    for part in view.uploads:
        if part[0] not in colluders:
            guess = opened(view, frozenset({part}), colluders)
            if guess is not None:
                found[frozenset({part})] = guess
    return found


def sums_below_threshold(view: View, colluders: Secrets, m: int) -> Guesses:
    """Open sums of fewer than m contributions.

    On ∝MDL^d as printed: with the l-th arrival the manager holds l shares of the mask of the sum so far.
    """
    found = {}
    for parts in {share.parts for share in view.shares}:
        honest = [part for part in parts if part[0] not in colluders]
        if len(honest) >= 2 and len(parts) < m:
            guess = opened(view, parts, colluders)
            if guess is not None:
                found[parts] = guess
    return found


def differences(sums: Mapping[frozenset[Part], Integers]) -> Guesses:
    """Subtract published sums whose sets of workers differ by one. No cryptography is touched.

    On ∝MDL^d as printed, which goes on past m: successive sums. On ∝MDL^c as printed: a second opening of
    the same ciphertexts without the worker that had not answered.
    """
    return {
        frozenset(part for part in larger if part[0] == extra): sums[larger] - sums[smaller]
        for larger, smaller in permutations(sums, 2)
        if (extra := _one_more(larger, smaller)) is not None
    }


def _one_more(larger: frozenset[Part], smaller: frozenset[Part]) -> PartyId | None:
    more, fewer = ({worker for worker, _ in parts} for parts in (larger, smaller))
    return next(iter(more - fewer)) if fewer < more and len(more - fewer) == 1 else None


def dictionary(
    chosen: ModularGroup, uploads: Mapping[Part, Encrypted], factors: Mapping[int, mpz]
) -> Guesses:
    """Read gradients off single ciphertexts by c^q, with no key and no share: anybody who reads the link can.

    c = M * h^r, and h^q = 1, so c^q = M^q. For an M inside the group that is 1 for all; textbook ElGamal in a
    Schnorr group takes M = round(2^F exp(x)) from outside.

    Args:
        chosen: the group.
        uploads: what is attacked.
        factors: the encoded gradients that the attacker thinks possible, and the M of each.
    """
    known: dict[mpz, list[int]] = {}
    for value, factor in factors.items():
        known.setdefault(powmod(factor, chosen.q, chosen.p), []).append(value)
    found = {}
    for part, upload in uploads.items():
        hits = [known.get(powmod(body, chosen.q, chosen.p), []) for body in upload.body]
        if all(len(hit) == 1 for hit in hits):
            found[frozenset({part})] = np.array([hit[0] for hit in hits], np.int64)
    return found


def opened(view: View, parts: frozenset[Part], colluders: Secrets) -> Integers | None:
    """Divide the bodies' product by the mask that the shares at hand interpolate to; None if that is no sum.

    With m shares it is the mask; with fewer, some other element.
    """
    scheme, chosen = view.scheme, modular_group(view.scheme.group)
    shares = dict(_shares_at_hand(view, parts, colluders))
    if not shares:
        return None
    points = sorted(shares)[: scheme.threshold]
    mask = interpolated(chosen, {point: shares[point] for point in points})
    return unmasked(view, parts, mask)


def _shares_at_hand(
    view: View, parts: frozenset[Part], colluders: Secrets
) -> Iterator[tuple[PartyId, Elements]]:
    """The manager's shares of the mask of these parts, and one that each colluder makes itself."""
    chosen = modular_group(view.scheme.group)
    yield from ((share.holder, share.elements) for share in view.shares if share.parts == parts)
    if colluders:
        hints = chosen.multiply([view.uploads[part].hint for part in parts])
        for worker, secret in colluders.items():
            yield worker, [powmod(hint, secret, chosen.p) for hint in hints]


def interpolated(chosen: ModularGroup, shares: Mapping[PartyId, Elements]) -> Elements:
    """Interpolate shares of a mask at zero: the product of share_j^{z_j}."""
    coefficients = lagrange_at_zero(list(shares), int(chosen.q))
    return chosen.multiply(
        [[powmod(x, coefficients[j], chosen.p) for x in elements] for j, elements in shares.items()],
    )


def unmasked(view: View, parts: frozenset[Part], mask: Elements) -> Integers | None:
    """Divide the product of these bodies by a mask and decode; None if it is no sum of so many."""
    chosen = modular_group(view.scheme.group)
    bodies = chosen.multiply([view.uploads[part].body for part in parts])
    return decoded(view, chosen.multiply([bodies, chosen.inverses(mask)]), len(parts))


def decoded(view: View, elements: Elements, count: int) -> Integers | None:
    """Decode sums of `count` gradients; None if an element stands for none."""
    scheme, chosen = view.scheme, modular_group(view.scheme.group)
    read = encoding(scheme.encoding, chosen, scheme.fixed_point, scheme.members_limit)
    try:
        return read.decode(list(elements), count)
    except OutOfRange:
        return None
