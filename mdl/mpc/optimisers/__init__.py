"""How parameters move, in secret."""

from mdl.mpc.optimisers.adam import Adam
from mdl.mpc.optimisers.rule import Optimiser
from mdl.mpc.optimisers.sgd import Sgd
from mdl.system import Recipe


def chosen(recipe: Recipe, rate: float) -> Optimiser:
    """Make the optimiser of a recipe, before its first step."""
    batch_bits = recipe.batch.bit_length() - 1
    if recipe.optimiser in ("adam", "amsgrad"):
        return Adam(rate, batch_bits, amsgrad=recipe.optimiser == "amsgrad")
    return Sgd(rate, batch_bits, recipe.momentum)


__all__ = ["Adam", "Optimiser", "Sgd", "chosen"]
