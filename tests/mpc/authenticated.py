"""Programs run by holders whose shares have MACs, and by their dealer; and holders that lie."""

from typing import TypeVar

import torch
from torch import Tensor

from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Protocol, play
from mdl.mpc.spdz2k import AuthenticatedHolder, begun
from mdl.mpc.wide import Wide
from mdl.schemes.randomness import SystemRandomness, insecure_seeded
from tests.mpc.parties import Program
from tests.mpc.tampering import flipped

T = TypeVar("T")


def engines(holders: int, rounding: Rounding = "nearest") -> dict[int, Engine]:
    """Begin: holders from 0 on, and the dealer."""
    parties = range(holders + 1)
    found, _ = play({party: begun(party, holders, rounding, SystemRandomness()) for party in parties})
    return found


def repeated(program: Program[T], holders: int, rounding: Rounding = "nearest") -> dict[int, Protocol[T]]:
    """Give the protocols of a run that is the same each time, with how the parties begin."""

    async def whole(party: int) -> T:
        return await program(await begun(party, holders, rounding, insecure_seeded(party)))

    return {party: whole(party) for party in range(holders + 1)}


def lying(holder: Engine, which: int = -1, bit: int = 0) -> list[int]:
    """Have a holder turn one bit over of the share that it tells in the so-manieth opening.

    It reckons with the false share itself, so that it has seen opened what the others have.

    Args:
        holder: that lies.
        which: the opening's number, from 0 on; in none, if it is negative.
        bit: of the message, modulo their number.

    Returns:
        The numbers of all openings so far.
    """
    assert isinstance(holder, AuthenticatedHolder)
    seen: list[int] = []
    summed, word = holder._summed, holder._word

    async def false_sum(own: Wide, mac: Wide) -> Wide:
        seen.append(len(seen))
        if seen[-1] == which:
            own = Wide.unpacked(flipped(own.packed(), bit), RING_104)
        return await summed(own, mac)

    async def false_word(own: Tensor) -> Tensor:
        seen.append(len(seen))
        if seen[-1] == which:
            own = torch.cat((flipped(own[0], bit).unsqueeze(0), own[1:]))
        return await word(own)

    holder._summed, holder._word = false_sum, false_word  # type: ignore[method-assign]
    return seen
