"""Not there yet."""

from mdl.mpc.blind.sources import Source
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, rng: Randomness) -> Source:
    """Not there yet."""
    raise NotImplementedError
