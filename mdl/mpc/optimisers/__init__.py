"""How parameters move, in secret."""

from mdl.mpc.optimisers.adam import Adam
from mdl.mpc.optimisers.rule import Optimiser
from mdl.mpc.optimisers.sgd import Sgd
from mdl.system import Optimiser as Name


def chosen(name: Name, *, rate: float, batch: int, momentum: float) -> Optimiser:
    """Make the optimiser of an experiment file's name, before its first step; a batch is a power of two."""
    batch_bits = batch.bit_length() - 1
    if name in ("adam", "amsgrad"):
        return Adam(rate, batch_bits, amsgrad=name == "amsgrad")
    return Sgd(rate, batch_bits, momentum)


__all__ = ["Adam", "Optimiser", "Sgd", "chosen"]
