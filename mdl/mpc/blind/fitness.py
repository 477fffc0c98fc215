"""Whether a network can be asked blindly: all that is known of it before a run."""

from collections.abc import Sequence
from typing import Final

from torch import nn

from mdl.errors import OutOfRange
from mdl.mpc.blind import translation
from mdl.mpc.blind.encrypted_bytes import check_fits
from mdl.mpc.blind.lattice import masks
from mdl.mpc.blind.plan import Plan, Shape, compares, steps

COMPARING: Final = (
    'it compares (ReLU, MaxPool2d), which needs system.randomness = "dealer"; Quadratic does not'
)


def problems(network: nn.Module, shape: Shape, *, dealt: bool) -> Sequence[str]:
    """Say why a network cannot be asked blindly; nothing if it can.

    Args:
        network: with the weights that it begins with.
        shape: of an example.
        dealt: whether there is a dealer.
    """
    if found := translation.problems(network):
        return found
    plan = translation.plan_of(network)
    return _of_plan(plan, shape, dealt=dealt) or _of_weights(network, dealt=dealt)


def _of_plan(plan: Plan, shape: Shape, *, dealt: bool) -> list[str]:
    if compares(plan) and not dealt:
        return [COMPARING]
    try:
        found = steps(plan, shape)
        if not dealt:
            check_fits(found)
    except ValueError as error:
        return [f"it cannot be asked about examples of shape {shape}: {error}"]
    return []


def _of_weights(network: nn.Module, *, dealt: bool) -> list[str]:
    try:
        found = translation.weights_of(network)
        if not dealt:
            for each in found:
                masks.check(each.weight)
    except OutOfRange as error:
        return [f"before it is trained, {error}"]
    return []
