"""The engine that hides nothing: the same integers, rounded to the nearest. The oracle of all others."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.engine import Bilinear
from mdl.mpc.secret import Bits, Secret
from mdl.party import PartyId

_UNITS: Final = (1,)


class Plain:
    """See `mdl.mpc.engine.Engine`. One party, which exchanges nothing.

    Args:
        seed: of the coins, which nothing hides.
    """

    party: PartyId = 0
    holders: int = 1

    def __init__(self, seed: int = 0) -> None:
        self._coins = torch.Generator().manual_seed(seed)

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return Secret((values,), _UNITS)

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`."""
        assert values is not None
        assert values.shape == shape
        del owner
        return self.public(values)

    async def check(self) -> None:
        """See `Engine`."""

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`."""
        return secret.parts[0]

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        assert receiver == self.party
        return secret.parts[0]

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`."""
        return _bits(torch.randint(2, shape, generator=self._coins, dtype=torch.uint8))

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        found = bilinear(one.parts[0], two.parts[0])
        return self.public(found if plus is None else found + plus.parts[0])

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        return self.public(secret.parts[0] + (1 << drop - 1) >> drop)

    async def negative(self, secret: Secret) -> Bits:
        """See `Engine`."""
        return _bits((secret.parts[0] < 0).to(torch.uint8))

    async def bits(self, secret: Secret) -> Bits:
        """See `Engine`."""
        return _bits(secret.parts[0].to(torch.int32))

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        return _bits(one.parts[0] & two.parts[0])

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`."""
        return secret * bit.parts[0].to(torch.int64)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        return self.public(bit.parts[0].to(torch.int64))


def _bits(values: Tensor) -> Bits:
    return Bits((values,), _UNITS)
