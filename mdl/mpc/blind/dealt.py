"""Correlated randomness from a dealer, who learns nothing, and must not collude with either party.

Of what it shares the owner of the weights derives its part from the key that it has in common with the
dealer; the asker is sent what is missing. The dealer does not know the weights: it shares the product of the
asker's mask and of a mask of the weights, and the owner tells the asker the difference of weights and mask.

[Beaver91] D. Beaver, Efficient multiparty protocols using circuit randomization, CRYPTO 1991.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mdl.mpc.blind.arithmetic import weighted
from mdl.mpc.blind.plan import Step
from mdl.mpc.blind.sources import Product, Side, Square
from mdl.mpc.engine import Engine
from mdl.mpc.keystream import Keystream
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId

DEALER: PartyId = 2


@dataclass(frozen=True)
class WordSquare:
    """Shares modulo 2^64 of numbers that nobody knows, and of their squares [Beaver91]; see `Square`.

    Attributes:
        root: of the numbers.
        square: of their squares.
    """

    root: Tensor
    square: Tensor

    async def squared(self, side: Side, share: Tensor) -> Tensor:
        """See `Square`: both open x less the root."""
        opened = await side.opened(share - self.root)
        found = self.square + 2 * opened * self.root
        if side.party == 0:
            found += opened * opened
        return found


class Dealt:
    """One of the two parties' side; see `mdl.mpc.blind.sources.Source`.

    Args:
        key: in common with the dealer.
        engine: what compares.
    """

    def __init__(self, key: bytes, engine: Engine) -> None:
        self.engine = engine
        self._stream = Keystream(key)

    async def product(self, side: Side, step: Step, rows: int, weight: Tensor | None) -> Product:
        """See `Source`: one round."""
        masked, product = _shapes(step, rows)
        of_weight = torch.Size(step.affine.weight_shape)
        if side.owns:
            assert weight is not None
            hidden = weight - self._stream.draw(of_weight)
            share = self._stream.draw(product)
            await Exchange([(side.asker, hidden)])
            return Product(torch.zeros(masked, dtype=torch.int64), share)
        mask = self._stream.draw(masked)
        hidden, share = await Exchange(
            (), [Wanted(side.owner, of_weight, torch.int64), Wanted(DEALER, product, torch.int64)]
        )
        return Product(mask, share + weighted(step.affine, mask, hidden))

    async def square(self, side: Side, shape: torch.Size) -> Square:
        """See `Source`: one round."""
        root = self._stream.draw(shape)
        if side.owns:
            square = self._stream.draw(shape)
            await Exchange()
        else:
            (square,) = await Exchange((), [Wanted(DEALER, shape, torch.int64)])
        return WordSquare(root, square)


class Dealing:
    """The dealer's side; see `mdl.mpc.blind.sources.Source`. What it gives back is zeros.

    Args:
        keys: in common with each of the two parties.
        engine: what compares.
    """

    def __init__(self, keys: Mapping[PartyId, bytes], engine: Engine) -> None:
        self.engine = engine
        self._streams = {party: Keystream(key) for party, key in keys.items()}

    async def product(self, side: Side, step: Step, rows: int, weight: Tensor | None) -> Product:
        """See `Source`."""
        assert weight is None
        asker, owner = self._streams[side.asker], self._streams[side.owner]
        masked, product = _shapes(step, rows)
        of_weight, share = owner.draw(torch.Size(step.affine.weight_shape)), owner.draw(product)
        found = weighted(step.affine, asker.draw(masked), of_weight)
        await Exchange([(side.asker, found - share)])
        return Product(torch.zeros(masked, dtype=torch.int64), torch.zeros_like(found))

    async def square(self, side: Side, shape: torch.Size) -> Square:
        """See `Source`."""
        owner = self._streams[side.owner]
        root = self._streams[side.asker].draw(shape) + owner.draw(shape)
        await Exchange([(side.asker, root * root - owner.draw(shape))])
        return WordSquare(torch.zeros_like(root), torch.zeros_like(root))


def _shapes(step: Step, rows: int) -> tuple[torch.Size, torch.Size]:
    return torch.Size([rows, *step.masked]), torch.Size([rows, *step.product])
