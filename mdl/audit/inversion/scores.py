"""How good recovered images are: peak signal-to-noise ratio, and who is who."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mdl.audit.inversion.target import Pictures

RECOGNISABLE: Final = 20.0
"""Decibels from which a person sees what an image shows. One that knows nothing scores 10 to 15."""

EXACT: Final = 120.0
"""Decibels that count as exact; higher ones are not told apart."""


@dataclass(frozen=True)
class Match:
    """A recovered image and the true one it was assigned to.

    Attributes:
        recovered: its place among the recovered.
        true: its place among the true.
        decibels: its PSNR.
    """

    recovered: int
    true: int
    decibels: float


def psnr(recovered: Pictures, true: Pictures) -> NDArray[np.float64]:
    """Give the PSNR of each recovered image against each true one.

    10·log10(1 / mean squared error), as pixels are in [0, 1].

    Args:
        recovered: shape (k, ...).
        true: shape (n, ...).

    Returns:
        Decibels, shape (k, n), at most `EXACT`.
    """
    ours, theirs = (np.reshape(images, (len(images), -1)).astype(np.float64) for images in (recovered, true))
    errors = np.stack([np.square(theirs - image).mean(axis=1) for image in ours])
    return np.asarray(-10 * np.log10(np.maximum(errors, 10 ** (-EXACT / 10))), np.float64)


def matches(recovered: Pictures, true: Pictures) -> Sequence[Match]:
    """Assign recovered images to true ones, each to one at most, so that the sum of decibels is largest.

    Returns:
        min(k, n) matches, the best first.
    """
    decibels = psnr(recovered, true)
    rows, columns = linear_sum_assignment(decibels, maximize=True)
    found = [
        Match(int(row), int(column), float(decibels[row, column]))
        for row, column in zip(rows, columns, strict=True)
    ]
    return sorted(found, key=lambda match: -match.decibels)
