"""What two parties need besides each other: shares of products of masks, made before there are images."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mdl.mpc.blind.plan import Step
from mdl.mpc.engine import Engine
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.rounds import Protocol as Run
from mdl.party import PartyId


@dataclass(frozen=True)
class Side:
    """A party's side of one direction of asking.

    Attributes:
        party: which it is: 0 or 1, or 2 for a dealer.
        asker: who has the images, 0 or 1. The other one has the weights.
    """

    party: PartyId
    asker: PartyId

    @property
    def owner(self) -> PartyId:
        """Who has the weights."""
        return 1 - self.asker

    @property
    def asks(self) -> bool:
        """Whether this party has the images."""
        return self.party == self.asker

    @property
    def owns(self) -> bool:
        """Whether this party has the weights."""
        return self.party == self.owner

    async def handed(self, sender: PartyId, tensor: Tensor | None, shape: torch.Size) -> Tensor:
        """Let one of the two hand the other a tensor, int64; what others give is not looked at.

        Returns:
            The tensor, at the receiver; zeros at others.
        """
        if self.party == sender:
            assert tensor is not None
            await Exchange([(1 - sender, tensor)])
        elif self.party == 1 - sender:
            (found,) = await Exchange((), [Wanted(sender, shape, torch.int64)])
            return found
        else:
            await Exchange()
        return torch.zeros(shape, dtype=torch.int64)

    async def opened(self, share: Tensor) -> Tensor:
        """Let both know a sum, int64; a third party learns nothing, and gives any tensor of the shape."""
        if self.party not in (0, 1):
            await Exchange()
            return torch.zeros_like(share)
        other = 1 - self.party
        (found,) = await Exchange([(other, share)], [Wanted(other, share.shape, share.dtype)])
        return share + found


@dataclass(frozen=True)
class Product:
    """What a product of hidden values with the owner's weights takes.

    Attributes:
        mask: of the values, shape (rows, *step.masked): the asker's; zeros at others.
        share: this party's of the mask's product with the weights, shape (rows, *step.product).
    """

    mask: Tensor
    share: Tensor


class Square(Protocol):
    """What squaring hidden values takes, as one party has it: for one shape, and for one use."""

    def squared(self, side: Side, share: Tensor) -> Run[Tensor]:
        """Give this party's share of x², of its share of x: one round."""


class Source(Protocol):
    """Where correlated randomness comes from, as one party has it. All ask for the same in the same order."""

    @property
    def engine(self) -> Engine | None:
        """What compares; None where nothing can."""

    def product(self, side: Side, step: Step, rows: int, weight: Tensor | None) -> Run[Product]:
        """Share the product of a fresh mask of the asker's and the owner's weights, which the owner gives.

        Weights are int64, shape `step.affine.weight_shape`, below 2^31 in absolute value.
        """

    def square(self, side: Side, shape: torch.Size) -> Run[Square]:
        """Come by what it takes to square values of a shape."""
