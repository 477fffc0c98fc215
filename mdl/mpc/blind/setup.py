"""How the two parties come to a source of correlated randomness."""

import torch
from torch import Tensor

from mdl.mpc import dealer
from mdl.mpc.blind.dealt import DEALER, Dealing, Dealt
from mdl.mpc.blind.sources import Source
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId
from mdl.system import Randomness


async def dealt(number: PartyId, rng: Randomness) -> Source:
    """Make a party's source, with a dealer as party 2: the dealer draws a key for each of the two."""
    engine = await dealer.begun(number, 2, "probabilistic", rng)
    if number == DEALER:
        keys = {party: rng.bytes(KEY_BYTES) for party in (0, 1)}
        await Exchange([(party, _tensor(key)) for party, key in keys.items()])
        return Dealing(keys, engine)
    (key,) = await Exchange((), [Wanted(DEALER, torch.Size([KEY_BYTES]), torch.uint8)])
    return Dealt(key.numpy().tobytes(), engine)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
