"""How parties begin: each gives every other one a key."""

import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.shamir.circle import Streams
from mdl.mpc.shamir.engine import Shamir
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, holders: int, rounding: Rounding, rng: Randomness) -> Shamir:
    """Make a party's engine; one round.

    Args:
        number: of the party, counted from 0.
        holders: how many there are.
        rounding: of quotients.
        rng: of the party's keys.
    """
    others = [party for party in range(holders) if party != number]
    keys = {party: rng.bytes(KEY_BYTES) for party in others}
    size = torch.Size([KEY_BYTES])
    came = await Exchange(
        [(party, _tensor(key)) for party, key in keys.items()],
        [Wanted(party, size, torch.uint8) for party in others],
    )
    streams = Streams(
        Keystream(rng.bytes(KEY_BYTES)),
        {party: Keystream(key) for party, key in keys.items()},
        {party: Keystream(key.numpy().tobytes()) for party, key in zip(others, came, strict=True)},
    )
    return Shamir(number, holders, streams, rounding)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
