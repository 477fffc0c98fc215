"""How holders and their dealer come to their keys."""

import torch
from torch import Tensor

from mdl.mpc.dealer.correlations import Dealt
from mdl.mpc.dealer.dealer import Dealer
from mdl.mpc.dealer.holder import Holder
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, holders: int, rounding: Rounding, rng: Randomness) -> Engine:
    """Make a party's engine: holders are numbered from 0, and the dealer comes after them.

    The dealer draws a key for each holder, and one for all. Of two holders the one before draws their key,
    and holder 0 draws the one that the dealer must not have. Two messages between any two parties: their key
    and the common one, where there is one.
    """
    if number == holders:
        return await _dealer(holders, rounding, rng)
    pairs = {other: rng.bytes(KEY_BYTES) for other in range(number + 1, holders)}
    common = rng.bytes(KEY_BYTES)
    sends = [(other, _tensor(key + common if number == 0 else key)) for other, key in pairs.items()]
    before = range(number)
    wants = [_wanted(other, 2 if other == 0 else 1) for other in before]
    *received, dealt = (_bytes(each) for each in await Exchange(sends, [*wants, _wanted(holders, 2)]))
    pairs |= {other: found[:KEY_BYTES] for other, found in zip(before, received, strict=True)}
    return Holder(
        number,
        Dealt(number, holders, dealt[:KEY_BYTES]),
        pairs,
        common=received[0][KEY_BYTES:] if received else common,
        public=dealt[KEY_BYTES:],
        rounding=rounding,
    )


async def _dealer(holders: int, rounding: Rounding, rng: Randomness) -> Dealer:
    keys = [rng.bytes(KEY_BYTES) for _ in range(holders)]
    public = rng.bytes(KEY_BYTES)
    await Exchange([(holder, _tensor(key + public)) for holder, key in enumerate(keys)])
    return Dealer(keys, public=public, rounding=rounding)


def _wanted(sender: PartyId, keys: int) -> Wanted:
    return Wanted(sender, torch.Size([keys * KEY_BYTES]), torch.uint8)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
