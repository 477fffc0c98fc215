"""How holders and the dealer that authenticates come to their keys."""

import torch
from torch import Tensor

from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.spdz2k.dealer import AuthenticatingDealer
from mdl.mpc.spdz2k.holder import AuthenticatedHolder
from mdl.mpc.spdz2k.sources import Dealt
from mdl.party import PartyId
from mdl.system import Randomness


async def begun(number: PartyId, holders: int, rounding: Rounding, rng: Randomness) -> Engine:
    """Make a party's engine: holders are numbered from 0, and the dealer comes after them.

    The dealer draws a key for each holder, from which their shares of the MACs' key are drawn too, and one
    for all. Holder 0 draws the one that the dealer must not have; holders compare it when they first verify.
    """
    if number == holders:
        keys = [rng.bytes(KEY_BYTES) for _ in range(holders)]
        own, public = rng.bytes(KEY_BYTES), rng.bytes(KEY_BYTES)
        await Exchange([(holder, _tensor(key + public)) for holder, key in enumerate(keys)])
        return AuthenticatingDealer(keys, own=own, public=public, rounding=rounding)
    common = rng.bytes(KEY_BYTES)
    sends = [(other, _tensor(common)) for other in range(1, holders)] if number == 0 else []
    wants = [] if number == 0 else [_wanted(0, 1)]
    *received, dealt = (_bytes(each) for each in await Exchange(sends, [*wants, _wanted(holders, 2)]))
    return AuthenticatedHolder(
        number,
        holders,
        Dealt(number, holders, dealt[:KEY_BYTES]),
        common=received[0] if received else common,
        public=dealt[KEY_BYTES:],
        rounding=rounding,
        rng=rng,
    )


def _wanted(sender: PartyId, keys: int) -> Wanted:
    return Wanted(sender, torch.Size([keys * KEY_BYTES]), torch.uint8)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
