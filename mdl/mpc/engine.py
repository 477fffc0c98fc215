"""What a security model must do for secrets. Networks, functions and training are written once, on top."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from mdl.mpc.ring import WORD_BITS as WORD_BITS
from mdl.mpc.rounds import Protocol as Run
from mdl.mpc.secret import Bits, Secret
from mdl.party import PartyId

COMPARED_BITS: Final = 32
"""Signs are taken of values in [-2^31, 2^31)."""

TRUNCATED_LIMIT: Final = 1 << 61
"""Values that are truncated are below this in absolute value."""

Bilinear: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""A product that is linear in each factor: of entries, of matrices, a convolution.

What it gives is fresh memory, which the engine may write over.
"""


@dataclass(frozen=True)
class Composed:
    """A bilinear product, and a linear map of it: of a sum of products the map is taken once, by `summed`.

    Attributes:
        product: of the factors.
        then: what is made of the product.
    """

    product: Bilinear
    then: Callable[[Tensor], Tensor]

    def __call__(self, one: Tensor, two: Tensor) -> Tensor:
        """Give the map of the product."""
        return self.then(self.product(one, two))


def summed(bilinear: Bilinear, *pairs: tuple[Tensor, Tensor]) -> Tensor:
    """Add up the products of several pairs of factors."""
    if isinstance(bilinear, Composed):
        return bilinear.then(summed(bilinear.product, *pairs))
    found = bilinear(*pairs[0])
    for one, two in pairs[1:]:
        found += bilinear(one, two)
    return found


Rounding: TypeAlias = Literal["probabilistic", "nearest"]
"""Of a quotient: up or down at random, so that it is right on average; or to the nearest, halves up."""


class Engine(Protocol):
    """One party's side of a security model. Whatever is awaited is to be driven, or run `together`."""

    @property
    def party(self) -> PartyId:
        """Which party this is."""

    @property
    def holders(self) -> int:
        """How many parties have shares; they are numbered from 0."""

    def public(self, values: Tensor) -> Secret:
        """Make a secret of what everybody knows."""

    def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Run[Secret]:
        """Share integers that `owner` has, and gives as `values`."""

    def check(self) -> Run[None]:
        """Verify all that was computed since the last time; where parties are trusted to follow, nothing.

        Raises:
            CheatingDetected: somebody did not follow the protocol.
        """

    def resumed(self, secrets: Sequence[Secret]) -> Run[Sequence[Secret]]:
        """Take up, at the begin of a start, secrets whose parts all have kept from an earlier one.

        Raises:
            CheatingDetected: they have not kept the same; where parties are trusted that is not noticed.
        """

    def open(self, secret: Secret) -> Run[Tensor]:
        """Let all parties know a secret, once `check` has passed."""

    def open_to(self, receiver: PartyId, secret: Secret) -> Run[Tensor | None]:
        """Let one party know a secret, once `check` has passed; None for the others."""

    def random_bits(self, shape: torch.Size) -> Run[Bits]:
        """Give fair coins that nobody knows: words of one bit, uint8."""

    def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Run[Secret]:
        """Multiply, modulo the secrets' modulus, and add `plus`."""

    def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Run[Secret]:
        """Multiply, add `plus`, and divide by 2^drop: one rounding for each entry of the result.

        Before the division entries must be below `TRUNCATED_LIMIT` in absolute value.
        """

    def truncate(self, secret: Secret, drop: int) -> Run[Secret]:
        """Divide by 2^drop, 1 <= drop <= 32; entries must be below `TRUNCATED_LIMIT` in absolute value."""

    def negative(self, secret: Secret) -> Run[Bits]:
        """Tell which entries are negative: words of one bit, uint8. Entries must be in [-2^31, 2^31)."""

    def bits(self, secret: Secret) -> Run[Bits]:
        """Give the 32 lowest binary digits of each entry, as a word, int32."""

    def conjunction(self, one: Bits, two: Bits) -> Run[Bits]:
        """Give the bitwise and of words of the same type."""

    def select(self, bit: Bits, secret: Secret) -> Run[Secret]:
        """Give the secret where the bit is one and zero elsewhere; shapes are the same."""

    def integers(self, bit: Bits) -> Run[Secret]:
        """Make integers of bits, 0 or 1."""


def multiply(one: Tensor, two: Tensor) -> Tensor:
    """The product of entries."""
    return one * two
