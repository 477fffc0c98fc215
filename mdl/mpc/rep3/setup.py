"""How three parties come to their keys."""

import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.rounds import Exchange, Wanted
from mdl.system import Randomness


async def begun(number: int, rounding: Rounding, rng: Randomness) -> Rep3:
    """Make a party's engine: each draws the key of its own component, and hands it to the one before.

    Party 0 draws the common key.
    """
    own, common = (_tensor(rng.bytes(KEY_BYTES)) for _ in range(2))
    before, after = (number + 2) % 3, (number + 1) % 3
    size = torch.Size([KEY_BYTES])
    sends = [(before, own)] + ([(1, common), (2, common)] if number == 0 else [])
    wants = [Wanted(after, size, torch.uint8)] + ([] if number == 0 else [Wanted(0, size, torch.uint8)])
    following, *given = await Exchange(sends, wants)
    mine, next_one, for_all = (each.numpy().tobytes() for each in (own, following, *given, common)[:3])
    return Rep3(number, mine, next_one, for_all, rounding)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
