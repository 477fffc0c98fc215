"""How three parties of whom one may be malicious come to their keys."""

import torch

from mdl.mpc.engine import Rounding
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rep3_malicious.engine import Rep3Malicious
from mdl.mpc.rep3_malicious.member import HOLDERS, Member
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, rounding: Rounding, rng: Randomness) -> Rep3Malicious:
    """Make a party's engine: each draws the key of its own component, and hands it to the party before.

    So the key that a party lacks was drawn by an honest one and given to an honest one. What a malicious
    one hands out is as good as any other key of its component. Then all toss the common key, which
    nobody chooses: two rounds.

    Args:
        number: the party's, 0 to 2.
        rounding: of quotients.
        rng: of this start of the run alone.

    Raises:
        CheatingDetected: the coins are not the same for all.
    """
    own = torch.frombuffer(bytearray(rng.bytes(KEY_BYTES)), dtype=torch.uint8)
    before, after = (number + 2) % HOLDERS, (number + 1) % HOLDERS
    (following,) = await Exchange([(before, own)], [Wanted(after, own.shape, own.dtype)])
    member = Member(number, own.numpy().tobytes(), following.numpy().tobytes())
    return Rep3Malicious(member, await member.coins(), rounding)
