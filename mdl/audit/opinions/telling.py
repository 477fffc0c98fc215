"""Answers as SMuLe tells them, in the clear: what is told of scores, and how they are rounded.

The protocol gives the same but for the last digits of its fixed-point numbers, which no attack here needs.
"""

from typing import Final

import numpy as np

from mdl.mpc.blind.arithmetic import FRACTION_BITS
from mdl.mpc.blind.telling import ROUNDED_BITS, Answers
from mdl.privacy import discrete
from mdl.system import Randomness
from mdl.vectors import Floats

KINDS: Final[tuple[Answers, ...]] = ("scores", "rounded", "labels")
"""From the kind that tells most to that which tells least."""


def told(scores: Floats, answers: Answers, *, noise: float, rng: Randomness, seed: int) -> Floats:
    """Give what an asker is told of scores.

    Args:
        scores: shape (rows, classes).
        answers: see `mdl.mpc.blind.telling.told`.
        noise: standard deviation of what the owner adds first; 0 for none.
        rng: of the noise.
        seed: of whether what lies between two quarters is rounded up or down, each as likely as it is near.

    Returns:
        Shape (rows, classes), float32.
    """
    exact = np.round(scores.astype(np.float64) * 2**FRACTION_BITS)
    if noise:
        exact += discrete.gaussian(noise * 2.0**FRACTION_BITS, exact.size, rng=rng).reshape(exact.shape)
    match answers:
        case "scores":
            return exact.astype(np.float32) * np.float32(2.0**-FRACTION_BITS)
        case "rounded":
            places = np.random.default_rng(seed).random(exact.shape)
            quarters = np.floor(exact * 2.0 ** (ROUNDED_BITS - FRACTION_BITS) + places)
            return quarters.astype(np.float32) * np.float32(2.0**-ROUNDED_BITS)
        case "labels":
            best: Floats = np.eye(scores.shape[1], dtype=np.float32)[exact.argmax(1)]
            return best
