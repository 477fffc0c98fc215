"""One of three parties with replicated shares: what it draws, passes on, opens and compares with the others.

Party i holds components i and i + 1 and their keys. It tells nobody anything but what it computes by products
(`passed`), what is to be opened, and hashes. The component that a party lacks both others hold, and of these
one at least is honest: it comes from the party before, and its hash from the party after.

That order matters. A party passes on its part of products to the party before, and to nobody else. So whoever
opens something to it has received all that it had to pass on until then, while the party after, which
may be far ahead, tells it no more than a hash.
"""

from typing import Final, TypeAlias

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.transcripts import hash_of, wanted_hash
from mdl.party import PartyId

HOLDERS: Final = 3

Pair: TypeAlias = tuple[Tensor, Tensor]
"""What a party holds of a secret: component i, component i + 1."""


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

    def only(self, held: Pair, *components: PartyId) -> Pair:
        """Leave out other components: each is known to two parties, and is a secret by itself."""
        one, two = (
            part if component in components else torch.zeros_like(part)
            for part, component in zip(held, self.components, strict=True)
        )
        return one, two

    # -------------------------------------------------------------------------------------- messages

    async def passed(self, own: Tensor, due: torch.Size) -> Tensor:
        """Pass on this party's component; give the next one, of a shape that is due: one round.

        What is empty is not sent.
        """
        wants = [Wanted(self.after, due, own.dtype)] if due.numel() else []
        received = await Exchange([(self.before, own)] if own.numel() else [], wants)
        return received[0] if received else torch.empty(due, dtype=own.dtype)

    async def lacking(self, mine: Tensor, following: Tensor, due: torch.Size) -> Tensor:
        """Let all know a secret; give the component that this party lacks, of a shape that is due: one round.

        What is empty is not sent, but its hash is.

        Raises:
            CheatingDetected: its holders do not say the same.
        """
        sends = [(self.after, mine)] if mine.numel() else []
        wants = [Wanted(self.before, due, mine.dtype)] if due.numel() else []
        *received, told = await Exchange(
            [*sends, (self.before, hash_of(following))], [*wants, wanted_hash(self.after)]
        )
        lacking = received[0] if received else torch.empty(due, dtype=mine.dtype)
        self.compare(lacking, told)
        return lacking

    def compare(self, received: Tensor, told: Tensor) -> None:
        """Compare what came from the party before with the hash that the party after tells.

        Raises:
            CheatingDetected: that is of something else.
        """
        if not torch.equal(hash_of(received), told):
            raise CheatingDetected(
                "opening: what was received is not what its other holder says", [self.before, self.after]
            )

    async def coins(self) -> Keystream:
        """Open a seed: what is drawn from it nobody could know before; one round.

        The hash of a component is no help, as nobody can guess 16 random bytes.
        """
        mine, following = self.drawn(torch.Size([KEY_BYTES]), torch.uint8)
        rest = await self.lacking(mine, following, mine.shape)
        return Keystream((mine ^ following ^ rest).numpy().tobytes())

    async def compare_zeros(self, mine: Tensor, following: Tensor, due: Tensor) -> None:
        """Verify that a secret is zero: one round, of a hash to each.

        Both others tell the hash of the component that this party lacks. Of zero it is what this party can
        compute; of anything else it is not, and the honest one of the others says so. So each honest party
        finds out by itself.

        Args:
            mine: this party's component.
            following: the next one.
            due: the one it lacks, of zero.

        Raises:
            CheatingDetected: it is not zero.
        """
        others = (self.before, self.after)
        told = await Exchange(
            [(self.before, hash_of(following)), (self.after, hash_of(mine))],
            [wanted_hash(other) for other in others],
        )
        if not all(torch.equal(each, hash_of(due)) for each in told):
            raise CheatingDetected("verification: a product is not what it should be")
