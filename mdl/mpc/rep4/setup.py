"""How four parties begin: the keys that three of them have in common, and that of all."""

import torch

from mdl.mpc.engine import Rounding
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rep4.engine import Rep4
from mdl.mpc.rep4.joint import HOLDERS, across, partner
from mdl.mpc.rounds import Wanted
from mdl.mpc.transcripts import Transcripts
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, rounding: Rounding, rng: Randomness) -> Rep4:
    """Make a party's engine: three rounds.

    Each draws the key that its partner lacks, and hands it to the parties across, who compare it. Party 0
    draws the common one, and the others compare it. So all honest parties have the same keys; and the key
    that a malicious party lacks was drawn by an honest one, as both its partner and those across are.

    Args:
        number: the party's, 0 to 3.
        rounding: of quotients.
        rng: of this start of the run alone.

    Raises:
        CheatingDetected: somebody handed out two keys for one.
    """
    size = torch.Size([KEY_BYTES])
    drawn, common = (torch.frombuffer(bytearray(rng.bytes(KEY_BYTES)), dtype=torch.uint8) for _ in range(2))
    opposite, others = across(number), range(1, HOLDERS)
    sends = [(receiver, drawn) for receiver in opposite]
    wants = [Wanted(owner, size, torch.uint8) for owner in opposite]
    if number == 0:
        sends += [(receiver, common) for receiver in others]
    else:
        wants.append(Wanted(0, size, torch.uint8))
    transcripts = Transcripts(number, HOLDERS)
    first, second, *given = await transcripts.exchange(sends, wants)
    keys = {partner(number): drawn}
    for owner, key in zip(opposite, (first, second), strict=True):
        transcripts.enter_handed(across(owner), key)
        keys[partner(owner)] = key
    for common in given:
        transcripts.enter_handed(others, common)
    await transcripts.compare()
    return Rep4(
        number,
        {component: key.numpy().tobytes() for component, key in keys.items()},
        common.numpy().tobytes(),
        rounding,
    )
