"""Decryption shares on arrival, as ∝MDL^d is printed [∝MDL, §V, Algorithms 4 and 5]. INSECURE.

Every contributor gives its share of the key's work when it arrives, before anybody knows who will be in the
set. That is what gives single gradients away:

- The l-th arrival hands the manager (g^{s_j})^{r_l} for each of the l-1 earlier members. These are l-1 shares
  of h^{r_l}, which hides its gradient alone. Where the set goes on past m, as in Algorithm 4, the manager
  opens every arrival of rank above m by itself.
- Each worker outside those l-1 can make one more share, as the manager holds g^{r_l}. So the manager and c of
  them open every arrival of rank above m - c, and sums of m - c arrivals or more. (With c = m - 1 every
  arrival: the first hands over a share of its own mask, as it is the sum so far.) Closing the set at m leaves
  c = 1: one worker outside the set opens the m-th arrival.

This is here to be measured and attacked (`mdl.audit`), in the local steps of `mdl.protocols.on_arrival`. The
default shows no share before the set is closed (`mdl.protocols.opening`).

The print is corrected where it cannot work:

- z_i of the newcomer is the product of -x_j / (x_i - x_j); line 9 of Algorithm 4 has 1 / x_j.
- What the newcomer raises to its key share is g^{z_i r}, r the sum of all nonces so far; line 7 of
  Algorithm 5 has r_i.
- z-values are not held: they are the Lagrange coefficients of the set so far.

A parameter with m contributors moves m^2 + 3m elements, and the l-th of them does l + 2 exponentiations. (In
a block of several parameters an earlier member's (g^{s_j})^{z_j} is shown once for all of them.)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from gmpy2 import invert, mpz

from mdl.errors import InvalidShare, NotEnoughShares
from mdl.party import MANAGER, PartyId
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import encoding
from mdl.schemes.groups import modular_group
from mdl.schemes.modular import Elements, ModularGroup
from mdl.schemes.prime_order import Exponents
from mdl.schemes.shamir import lagrange_at_zero, verification_keys
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers


@dataclass(frozen=True)
class Arrived:
    """What the manager holds of one block: an active set A_w as far as it has come.

    Attributes:
        members: in the order of their arrival.
        answers: d_j = (g^r)^{s_j z_j} of each member, in that order, a row each (a row is an element for each
            of the block's parameters).
        hint: g^r, r the sum of the members' nonces, a row; empty while nobody has come.
        body: the product of their c, a row; empty likewise.
    """

    members: tuple[PartyId, ...] = ()
    answers: tuple[bytes, ...] = ()
    hint: bytes = b""
    body: bytes = b""


# worker


def encrypt_keeping(
    scheme: ElGamal,
    public_key: bytes,
    key_share: KeyShare,
    plaintext: Integers,
    context: Context,
    *,
    rng: Randomness,
) -> tuple[Ciphertext, list[list[int]]]:
    """Encrypt as `ElGamal.encrypt` does, and give the nonces too (Algorithm 5, line 3).

    Returns:
        The ciphertext, and r_i for each block and parameter, shape (len(context.blocks), block): secret.

    Raises:
        OutOfRange: an entry is outside ±fixed_point.limit.
        InvalidShare: the public key is malformed.
    """
    keeping = _Keeping(rng)
    ciphertext = scheme.encrypt(public_key, key_share, plaintext, context, rng=keeping)
    return ciphertext, list(_cut(keeping.drawn, scheme.block))


def raise_to_nonces(
    scheme: ElGamal, shown: bytes, counts: Sequence[int], nonces: Sequence[Sequence[int]]
) -> bytes:
    """Raise what is shown of earlier members to one's own nonces (Algorithm 5, line 5).

    This hands out shares of the mask of one's own gradient: see the module.

    Args:
        scheme: how values are hidden.
        shown: (g^{s_j})^{z_j}, an element for each block and earlier member.
        counts: how many earlier members each block has.
        nonces: r_i for each block and parameter.

    Returns:
        ((g^{s_j})^{z_j})^{r_i}, a row for each block and earlier member.

    Raises:
        InvalidShare: what is shown is malformed or no element of the group.
    """
    chosen = modular_group(scheme.group)
    elements = iter(_elements(chosen, shown, sum(counts), MANAGER))
    powers: list[mpz] = []
    for count, own in zip(counts, nonces, strict=True):
        for _ in range(count):
            powers += chosen.powers([next(elements)], Exponents(own))
    return chosen.pack(powers)


def raise_to_share(scheme: ElGamal, key_share: KeyShare, shown: bytes, blocks: int) -> bytes:
    """Raise (g^r)^{z_i} to one's own key share: d_i, a row a block (Algorithm 5, line 7, corrected).

    Raises:
        InvalidShare: what is shown is malformed or no element of the group.
    """
    chosen = modular_group(scheme.group)
    elements = _elements(chosen, shown, blocks * scheme.block, MANAGER)
    return chosen.pack(chosen.raised(elements, int.from_bytes(key_share.secret, "big")))


# manager


def questions(
    scheme: ElGamal, public_key: bytes, newcomer: PartyId, arrived: Sequence[Arrived], hint: bytes
) -> tuple[bytes, bytes]:
    """Make what a newcomer is asked to raise (Algorithm 4, lines 5, 6, 9 and 10).

    Args:
        scheme: how values are hidden.
        public_key: as `ElGamal.deal` gives it; g^{s_j} follows from its commitments.
        newcomer: i, in none of the sets.
        arrived: what is held of each block that it uploads.
        hint: its g^{r_i}, a row a block.

    Returns:
        (g^{s_j})^{z_j}, an element for each block and earlier member; and (g^r)^{z_i}, a row a block, where r
        includes r_i.

    Raises:
        InvalidShare: the public key or the hint is malformed, or no element of the group.
    """
    chosen = modular_group(scheme.group)
    public_shares: list[mpz] = []
    own: list[mpz] = []
    for state, row in zip(arrived, _rows(scheme, hint, len(arrived), newcomer), strict=True):
        members = (*state.members, newcomer)
        public_shares += _public_shares(scheme, public_key, members)
        z = lagrange_at_zero(members, int(chosen.q))[newcomer]
        own += chosen.raised(_times(chosen, state.hint, row), z)
    return chosen.pack(public_shares), chosen.pack(own)


def seat(
    scheme: ElGamal,
    newcomer: PartyId,
    arrived: Sequence[Arrived],
    upload: Ciphertext,
    *,
    raised: bytes,
    own: bytes,
) -> list[Arrived]:
    """Add a newcomer to the sets, with its answers to both `questions` (Algorithm 4, lines 7, 8 and 10).

    An earlier member's d_j = (g^r)^{s_j z_j} becomes d_j^f * (g^{s_j})^{z'_j r_i}, where z'_j = z_j * f and
    f = -x_i / (x_j - x_i) is what the newcomer changes in z_j.

    Raises:
        InvalidShare: something the newcomer sent is malformed or no element of the group.
    """
    chosen = modular_group(scheme.group)
    earlier = _rows(scheme, raised, sum(len(state.members) for state in arrived), newcomer)
    rows = (_rows(scheme, packed, len(arrived), newcomer) for packed in (upload.hint, upload.body, own))
    seated = []
    for state, hint, body, answer in zip(arrived, *rows, strict=True):
        answers = [
            chosen.multiply([chosen.raised(chosen.unpack(d), _change(chosen, j, newcomer)), next(earlier)])
            for j, d in zip(state.members, state.answers, strict=True)
        ]
        seated.append(
            Arrived(
                members=(*state.members, newcomer),
                answers=tuple(chosen.pack(d) for d in [*answers, answer]),
                hint=chosen.pack(_times(chosen, state.hint, hint)),
                body=chosen.pack(_times(chosen, state.body, body)),
            )
        )
    return seated


def open_sets(scheme: ElGamal, arrived: Sequence[Arrived]) -> Integers:
    """Open the sums of sets that have at least m members: shape (len(arrived), block).

    The product of all c, divided by that of all d (Algorithm 4, line 12).

    Raises:
        NotEnoughShares: a set has fewer members than the threshold.
        OutOfRange: a block decodes to no sum of so many members (an answer or a body is wrong).
    """
    chosen = modular_group(scheme.group)
    decode = encoding(scheme.encoding, chosen, scheme.fixed_point, scheme.members_limit).decode
    sums = np.zeros((len(arrived), scheme.block), np.int64)
    for place, state in enumerate(arrived):
        if len(state.members) < scheme.threshold:
            raise NotEnoughShares(f"{len(state.members)} members, threshold {scheme.threshold}")
        masks = chosen.multiply([chosen.unpack(d) for d in state.answers])
        opened = chosen.multiply([chosen.unpack(state.body), chosen.inverses(masks)])
        sums[place] = decode(opened, len(state.members))
    return sums


# helpers


class _Keeping:
    """Randomness that remembers the integers it gave."""

    def __init__(self, rng: Randomness) -> None:
        self._rng = rng
        self.drawn: list[int] = []

    @property
    def bytes(self) -> Callable[[int], bytes]:
        return self._rng.bytes

    def below(self, bound: int, /) -> int:
        self.drawn.append(self._rng.below(bound))
        return self.drawn[-1]


@lru_cache(maxsize=1 << 12)
def _public_shares(scheme: ElGamal, public_key: bytes, members: tuple[PartyId, ...]) -> Elements:
    """Compute (g^{s_j})^{z_j} for all members but the last; once per process, as all of it is public."""
    chosen = modular_group(scheme.group)
    commitments = _elements(chosen, public_key, scheme.threshold)
    coefficients = lagrange_at_zero(members, int(chosen.q))
    keys = [verification_keys(chosen, commitments, scheme.threshold, j) for j in members[:-1]]
    return [chosen.raised(key, coefficients[j])[0] for j, key in zip(members[:-1], keys, strict=True)]


def _change(chosen: ModularGroup, member: PartyId, newcomer: PartyId) -> int:
    """Give f = -x_i / (x_j - x_i) mod q: what newcomer i changes in the coefficient of member j."""
    return int(newcomer * invert(newcomer - member, chosen.q) % chosen.q)


def _times(chosen: ModularGroup, so_far: bytes, row: list[mpz]) -> list[mpz]:
    return chosen.multiply([chosen.unpack(so_far), row]) if so_far else row


def _rows(scheme: ElGamal, packed: bytes, count: int, sender: PartyId) -> Iterator[list[mpz]]:
    """Read exactly `count` rows of elements, all checked."""
    return _cut(_elements(modular_group(scheme.group), packed, count * scheme.block, sender), scheme.block)


def _cut(values: list[int], width: int) -> Iterator[list[int]]:
    return (values[first : first + width] for first in range(0, len(values), width))


def _elements(chosen: ModularGroup, packed: bytes, count: int, *culprits: PartyId) -> list[mpz]:
    try:
        elements = chosen.unpack(packed)
    except ValueError as problem:
        raise InvalidShare(str(problem), culprits) from None
    if len(elements) != count:
        raise InvalidShare(f"{len(elements)} elements where {count} were due", culprits)
    if not chosen.all_members(elements):
        raise InvalidShare(f"no element of {chosen.name}", culprits)
    return elements
