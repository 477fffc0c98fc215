"""One of three parties with replicated shares: what it draws, passes on, opens and compares with the others.

Party i holds components i and i + 1 and their keys. It tells nobody anything but what it computes by products
(`passed`), what is to be opened, and hashes. The component that a party lacks both others hold, and of these
one at least is honest: it comes from the party before, and its hash from the party after.

That order matters. A party passes on its part of products to the party before, and to nobody else. So whoever
opens something to it has received all that it had to pass on until then, while the party after, which
may be far ahead, tells it no more than a hash.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.transcripts import hash_of, wanted_hash
from mdl.mpc.wide import Wide
from mdl.party import PartyId

HOLDERS: Final = 3

Pair: TypeAlias = tuple[Tensor, Tensor]
"""What a party holds of a secret: component i, component i + 1."""

WidePair: TypeAlias = tuple[Wide, Wide]


class Member:
    """One party's side.

    Args:
        party: 0, 1 or 2.
        mine: the key of this party's own component, which the party before has too.
        following: the key of the next component, which the party after has too.

    Attributes:
        party: which party this is.
        before: the party to which this one passes on.
        after: the party from which it receives that.
        components: the numbers of the two that it holds.
        units: for each of the two, 1 if it is component 0, to which public numbers go.
        mine: what it draws with the party before.
        next: what it draws with the party after.
    """

    def __init__(self, party: PartyId, mine: bytes, following: bytes) -> None:
        self.party = party
        self.before, self.after = (party + 2) % HOLDERS, (party + 1) % HOLDERS
        self.components = (party, self.after)
        self.units = (int(party == 0), int(self.after == 0))
        self.mine, self.next = Keystream(mine), Keystream(following)

    # -------------------------------------------------------------------------------------- no message

    def drawn(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Pair:
        """Draw a secret that nobody knows."""
        return self.mine.draw(shape, dtype), self.next.draw(shape, dtype)

    def drawn_wide(self, shape: torch.Size) -> WidePair:
        """Draw a secret modulo 2^104 that nobody knows."""
        return Wide.drawn(self.mine, shape, RING_104), Wide.drawn(self.next, shape, RING_104)

    def only(self, held: Pair, *components: PartyId) -> Pair:
        """Leave out the other components: each is known to two parties, and so is a secret that they share."""
        one, two = (
            part if component in components else torch.zeros_like(part)
            for part, component in zip(held, self.components, strict=True)
        )
        return one, two

    # -------------------------------------------------------------------------------------- messages

    async def passed(self, *own: Tensor) -> list[Tensor]:
        """Pass on this party's components; give the next ones: one round."""
        return await Exchange(
            [(self.before, each) for each in own],
            [Wanted(self.after, each.shape, each.dtype) for each in own],
        )

    async def lacking(self, held: Sequence[Pair]) -> list[Tensor]:
        """Let all know secrets; give the components that this party lacks: one round.

        Raises:
            CheatingDetected: the two others do not say the same.
        """
        sends = [(self.after, mine) for mine, _ in held]
        hashed = (self.before, hash_of(*(following for _, following in held)))
        wants = [Wanted(self.before, mine.shape, mine.dtype) for mine, _ in held]
        *found, told = await Exchange([*sends, hashed], [*wants, wanted_hash(self.after)])
        self.compare(found, told)
        return found

    def compare(self, received: Sequence[Tensor], told: Tensor) -> None:
        """Compare what came from the party before with the hash that the party after tells.

        Raises:
            CheatingDetected: that is of something else.
        """
        if not torch.equal(hash_of(*received), told):
            raise CheatingDetected(
                "opening: what was received is not what its other holder says", [self.before, self.after]
            )

    async def coins(self) -> Keystream:
        """Open a seed: what is drawn from it nobody could know before; one round.

        The hash of a component is no help, as nobody can guess 16 random bytes.
        """
        mine, following = self.drawn(torch.Size([KEY_BYTES]), torch.uint8)
        (rest,) = await self.lacking([(mine, following)])
        return Keystream((mine ^ following ^ rest).numpy().tobytes())

    async def compare_zeros(self, held: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Verify that secrets are zero: one round, of a hash to each.

        Both others tell the hash of the component that this party lacks. Of zero it is what this party can
        compute; of anything else it is not, and the honest one of the others says so. So each honest party
        finds out by itself.

        Args:
            held: of each secret this party's components, and what the one it lacks is of zero.

        Raises:
            CheatingDetected: one of them is not zero.
        """
        mine, following, due = (hash_of(*column) for column in zip(*held, strict=True))
        others = (self.before, self.after)
        told = await Exchange(
            [(self.before, following), (self.after, mine)], [wanted_hash(other) for other in others]
        )
        if not all(torch.equal(each, due) for each in told):
            raise CheatingDetected("verification: a product is not what it should be")
