"""What is computed in limbs and residues, in Python's integers."""

from typing import Any

import numpy as np
import torch

from mdl.mpc.blind.lattice.coefficients import FRACTION_BITS, LIMB_BITS, MODULUS_BITS, Coefficients

MODULUS = 1 << MODULUS_BITS
SCALE = 1 << FRACTION_BITS
"""Δ."""


def integers(coefficients: Coefficients) -> Any:
    """Give residues in [0, q), in an array of objects."""
    low, middle, high = (limb.numpy().astype(object) for limb in coefficients.limbs)
    return (low + (middle << LIMB_BITS) + (high << FRACTION_BITS)) % MODULUS


def coefficients(values: Any) -> Coefficients:
    """Take up integers of any size."""
    array = np.array(values, dtype=object) % MODULUS
    mask = (1 << LIMB_BITS) - 1
    high = (array >> FRACTION_BITS).astype(np.uint64).view(np.int64)
    low, middle = ((array >> bits & mask).astype(np.int64) for bits in (0, LIMB_BITS))
    return Coefficients(*(torch.from_numpy(limb) for limb in (low, middle, high)))


def centred(values: Any, modulus: int) -> Any:
    """Give residues in [-modulus / 2, modulus / 2)."""
    return (values + modulus // 2) % modulus - modulus // 2
