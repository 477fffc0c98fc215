"""Correlated randomness from nobody else: the asker's masks, encrypted, are multiplied by the owner.

What each may learn, and why it does not, is in `mdl.mpc.blind.lattice.masks` and
`mdl.mpc.blind.lattice.factors`. Semi-honest: neither proves to the other that it has followed the protocol.
Nothing here compares numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from mdl.mpc.blind.encrypted_bytes import DEGREE, batches, laid_out
from mdl.mpc.blind.lattice import factors, masks
from mdl.mpc.blind.lattice.coefficients import WHOLE_BYTES, Coefficients
from mdl.mpc.blind.lattice.keys import PublicKey, SecretKey
from mdl.mpc.blind.lattice.layout import Layout
from mdl.mpc.blind.lattice.primes import ALL, Ring, drawn
from mdl.mpc.blind.plan import Step
from mdl.mpc.blind.sources import Product, Side, Square
from mdl.mpc.blind.squares import PrimeSquare
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId
from mdl.schemes.number_theoretic import Residues
from mdl.system import Randomness

_Halves: TypeAlias = tuple[Sequence[factors.Slots], Sequence[factors.Slots]]
"""A party's factors, and its shares of products: for each batch."""


@dataclass(frozen=True, eq=False)
class Keys:
    """What a party has for one asker's questions.

    Attributes:
        stream: of public polynomials: both have it, and are equally far.
        of_masks: the asker's public key for products with weights.
        of_factors: the one for squares.
        secrets: of both, the asker's; None at the owner.
    """

    stream: Keystream
    of_masks: PublicKey
    of_factors: factors.PublicKey
    secrets: tuple[SecretKey, factors.SecretKey] | None


class Encrypted:
    """A party's side; see `mdl.mpc.blind.sources.Source`.

    Args:
        degree: N. Below 8192 it hides nothing, and is for tests.
        keys: by asker.
        rng: for all that is secret.
    """

    engine: Final = None

    def __init__(self, degree: int, keys: Mapping[PartyId, Keys], rng: Randomness) -> None:
        self._degree, self._ring, self._keys, self._rng = degree, Ring(degree), keys, rng

    async def product(self, side: Side, step: Step, rows: int, weight: Tensor | None) -> Product:
        """See `Source`: two rounds.

        Raises:
            OutOfRange: the owner's weights are too large.
            ValueError: an example does not fit a polynomial.
        """
        # A stream of its own: polynomials are drawn when they are needed, whatever runs beside it.
        stream = self._keys[side.asker].stream.branch()
        layouts = list(laid_out(step, rows, self._degree))
        if side.asks:
            mask, share = await self._multiplied(side, step, layouts, stream)
            return Product(mask, share)
        assert weight is not None
        share = await self._weighing(side, step, layouts, stream, weight)
        return Product(torch.zeros(rows, *step.masked, dtype=torch.int64), share)

    async def square(self, side: Side, shape: torch.Size) -> Square:
        """See `Source`: two rounds."""
        stream = self._keys[side.asker].stream.branch()
        parts = batches(shape.numel(), self._degree)
        halves = self._asked_factors if side.asks else self._owned_factors
        own, products = (_flat(slots, shape.numel()) for slots in await halves(side, parts, stream))
        return PrimeSquare.of(own, products)

    # -------------------------------------------------------------------------------------- products

    async def _multiplied(
        self, side: Side, step: Step, layouts: Sequence[Layout], stream: Keystream
    ) -> tuple[Tensor, Tensor]:
        """Draw a mask, have it multiplied, and give it with the asker's share."""
        key = self._secrets(side)[0]
        rows = [each.rows for each in layouts]
        # What no window sees is masked, too: the owner is given it less its mask.
        mask = Keystream(self._rng.bytes(KEY_BYTES)).draw(torch.Size([sum(rows), *step.masked]))
        sent = [
            masks.hidden(each, key, _public(each, stream), part.view(-1), rng=self._rng)
            for each, part in zip(layouts, torch.split(mask, rows), strict=True)
        ]
        await Exchange([(side.owner, torch.cat(sent))])
        replies = await _parts(side.owner, [masks.sizes(each).replied for each in layouts])
        shares = [masks.shared(each, key, reply) for each, reply in zip(layouts, replies, strict=True)]
        return mask, _whole(step, shares)

    async def _weighing(
        self, side: Side, step: Step, layouts: Sequence[Layout], stream: Keystream, weight: Tensor
    ) -> Tensor:
        """Multiply what is hidden, and give the owner's share."""
        masks.check(weight)
        key, replies, shares = self._keys[side.asker].of_masks, [], []
        received = await _parts(side.asker, [masks.sizes(each).asked for each in layouts])
        for each, sent in zip(layouts, received, strict=True):
            pair = masks.ciphertexts(each, _public(each, stream), sent)
            reply, share = masks.replied(each, masks.combined(each, pair, weight), key, rng=self._rng)
            replies.append(reply)
            shares.append(share)
        await Exchange([(side.asker, torch.cat(replies))])
        return _whole(step, shares)

    # -------------------------------------------------------------------------------------- squares

    async def _asked_factors(self, side: Side, parts: Sequence[int], stream: Keystream) -> _Halves:
        """Draw the asker's factors, and give them with its shares of their products with the owner's."""
        key = self._secrets(side)[1]
        hidden = [
            factors.hidden(self._ring, key, self._public(stream, polynomials), rng=self._rng)
            for polynomials in parts
        ]
        await Exchange([(side.owner, torch.from_numpy(np.concatenate([sent for sent, _ in hidden])))])
        replies = await _parts(side.owner, [factors.sizes(each, self._degree).replied for each in parts])
        shares = [
            factors.shared(self._ring, key, reply.numpy(), polynomials)
            for reply, polynomials in zip(replies, parts, strict=True)
        ]
        return [own for _, own in hidden], shares

    async def _owned_factors(self, side: Side, parts: Sequence[int], stream: Keystream) -> _Halves:
        """Draw the owner's factors, and give them with its shares of their products with the asker's."""
        key = self._keys[side.asker].of_factors
        received = await _parts(side.asker, [factors.sizes(each, self._degree).asked for each in parts])
        made = [
            factors.replied(self._ring, key, self._public(stream, polynomials), sent.numpy(), rng=self._rng)
            for sent, polynomials in zip(received, parts, strict=True)
        ]
        await Exchange([(side.asker, torch.from_numpy(np.concatenate([reply for reply, _, _ in made])))])
        return [own for _, own, _ in made], [share for _, _, share in made]

    def _secrets(self, side: Side) -> tuple[SecretKey, factors.SecretKey]:
        secrets = self._keys[side.asker].secrets
        assert secrets is not None, "only the asker's own"
        return secrets

    def _public(self, stream: Keystream, polynomials: int) -> list[Residues]:
        return drawn(stream, (self._degree, polynomials), ALL)


async def begun(number: PartyId, rng: Randomness, *, insecure_degree: int | None = None) -> Encrypted:
    """Make a party's source: one round, in which each of the two sends the other its public keys.

    Args:
        number: of the party, 0 or 1.
        rng: for all that is secret.
        insecure_degree: a smaller N, for tests.
    """
    degree = DEGREE if insecure_degree is None else insecure_degree
    ring, other = Ring(degree), 1 - number
    secret, secret_of_factors = SecretKey.drawn(degree, rng=rng), factors.SecretKey.drawn(ring, rng=rng)
    seed = rng.bytes(KEY_BYTES)
    stream = Keystream(seed)
    b = secret.hidden_zeros(Coefficients.drawn(stream, torch.Size([1, degree])), rng=rng)
    b_of_factors = secret_of_factors.hidden_zeros(ring, drawn(stream, (degree, 1), ALL), rng=rng)
    sent = torch.cat(
        [
            torch.frombuffer(bytearray(seed), dtype=torch.uint8),
            b.whole().view(-1),
            torch.from_numpy(factors.written(b_of_factors)),
        ]
    )
    (received,) = await Exchange([(other, sent)], [Wanted(other, sent.shape, torch.uint8)])
    keys = {
        number: _keys(sent, degree, (secret, secret_of_factors)),
        other: _keys(received, degree, None),
    }
    return Encrypted(degree, keys, rng)


def _keys(sent: Tensor, degree: int, secrets: tuple[SecretKey, factors.SecretKey] | None) -> Keys:
    """Read what a party sent in `begun`."""
    seed, masked, other = torch.split(
        sent, [KEY_BYTES, degree * WHOLE_BYTES, degree * factors.KEY_WORDS_BYTES]
    )
    stream = Keystream(seed.numpy().tobytes())
    of_masks = PublicKey.of(Coefficients.of_whole(masked.view(1, degree, WHOLE_BYTES)), stream)
    a = drawn(stream, (degree, 1), ALL)
    return Keys(
        stream, of_masks, factors.PublicKey(factors.read(other.numpy(), (degree, 1), ALL), a), secrets
    )


def _public(each: Layout, stream: Keystream) -> Coefficients:
    return Coefficients.drawn(stream, torch.Size([each.polynomials, each.degree]))


async def _parts(sender: PartyId, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Receive bytes, cut into parts of known sizes."""
    (received,) = await Exchange((), [Wanted(sender, torch.Size([sum(sizes)]), torch.uint8)])
    found: Sequence[Tensor] = torch.split(received, list(sizes))
    return found


def _whole(step: Step, shares: Sequence[Tensor]) -> Tensor:
    whole = torch.cat(list(shares))
    return whole.view(len(whole), *step.product)


def _flat(parts: Sequence[factors.Slots], count: int) -> list[Residues]:
    """Put slots one behind the other, and leave out those that are too many."""
    return [
        np.concatenate([part.T.reshape(-1) for part in of_prime])[:count]
        for of_prime in zip(*parts, strict=True)
    ]
