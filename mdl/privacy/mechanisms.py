"""What a worker does to its gradient between training and encryption: clip, round to the grid, add noise.

Values are whole numbers before the noise is added and after, so the promise holds for what is sent, bit for
bit. They are rounded to the grid at random, without bias: what is smaller than half a step is kept on
average, so that noisy gradients do with a coarser grid. That changes nothing of the promise, as whatever is
rounded stays within the clip.

[CKS20] C. Canonne, G. Kamath, T. Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.privacy.discrete import gaussian, laplace, uniform_words
from mdl.schemes.fixed_point import FixedPoint
from mdl.system import Randomness
from mdl.vectors import Floats, Integers

_MARGIN: Final = 1 - 2**-8
"""A contribution that random rounding made too long is shortened by a little more than it is too long."""


@dataclass(frozen=True)
class Noised:
    """What may leave a worker.

    Attributes:
        values: on the grid, within its limit.
        clipped: how many values the clip changed.
        saturated: how many left the grid's range with their noise, and were put at its end.
    """

    values: Integers
    clipped: int
    saturated: int


class Mechanism(Protocol):
    """A differentially private release of vectors, on one grid."""

    def release(self, values: Floats, *, rng: Randomness) -> Noised:
        """Clip, round, add fresh noise, and saturate.

        Args:
            values: all that a worker contributes in one epoch, any shape.
            rng: secret randomness.

        Raises:
            OutOfRange: a value is not finite: training has diverged.
        """


@dataclass(frozen=True)
class LaplaceMechanism:
    """Noise that hides any change of one coordinate within the clip, epsilon for each.

    A coordinate is an integer in [-clip, clip], so two of them differ by 2 clip at most, and noise of scale 2
    clip / epsilon makes its release epsilon-differentially private for any change of the worker's data
    (Dwork, McSherry, Nissim, Smith, TCC 2006; on the integers: Ghosh, Roughgarden, Sundararajan, STOC 2009).

    Attributes:
        grid: what is contributed lies on it.
        clip: floor(gamma 2^f), in steps of the grid.
        epsilon: of each coordinate.
    """

    grid: FixedPoint
    clip: int
    epsilon: float

    @property
    def scale(self) -> Fraction:
        """b, in steps of the grid."""
        return Fraction(2 * self.clip) / Fraction(self.epsilon)

    def release(self, values: Floats, *, rng: Randomness) -> Noised:
        """See `Mechanism`."""
        steps = _in_steps(values, self.grid)
        within = _rounded(np.clip(steps, -self.clip, self.clip), rng)
        noisy = within + laplace(self.scale, within.size, rng=rng).reshape(within.shape)
        return _saturated(noisy, self.grid, clipped=int(np.count_nonzero(np.abs(steps) > self.clip)))


@dataclass(frozen=True)
class GaussianMechanism:
    """Noise that hides any change of a whole contribution within a ball.

    Contributions are vectors of integers of length at most clip, so two of them are 2 clip apart at most, and
    discrete Gaussian noise of sigma = 2 clip z makes a release 1/(2 z^2)-zCDP for any change of the worker's
    data [CKS20, section 2].

    Attributes:
        grid: what is contributed lies on it.
        clip: floor(C 2^f), in steps of the grid; below 2^31.
        noise_multiplier: z.
    """

    grid: FixedPoint
    clip: int
    noise_multiplier: float

    @property
    def sigma(self) -> float:
        """In steps of the grid."""
        return 2 * self.clip * self.noise_multiplier

    def release(self, values: Floats, *, rng: Randomness) -> Noised:
        """See `Mechanism`. All values count as clipped if their norm is."""
        steps = _in_steps(values, self.grid)
        length = float(np.linalg.norm(steps))
        too_long = length > self.clip
        within = self._within(steps * (self.clip / length) if too_long else steps, rng)
        noisy = within + gaussian(self.sigma, within.size, rng=rng).reshape(within.shape)
        return _saturated(noisy, self.grid, clipped=steps.size if too_long else 0)

    def _within(self, steps: NDArray[np.float64], rng: Randomness) -> Integers:
        """Round to a vector of length at most clip, exactly; shorten it where rounding made it too long."""
        while True:
            rounded = _rounded(steps, rng)
            square = int(np.square(rounded).sum())
            if square <= self.clip**2:
                return rounded
            steps = steps * (_MARGIN * self.clip / math.sqrt(square))


def _in_steps(values: Floats, grid: FixedPoint) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise OutOfRange("a value to encode is not finite")
    return np.asarray(values, np.float64) * 2.0**grid.fraction_bits


def _rounded(steps: NDArray[np.float64], rng: Randomness) -> Integers:
    """Round each value up or down, to either side as often as keeps it on average."""
    below = np.floor(steps)
    # 53 bits of a word, as a double holds them.
    chances = (uniform_words(steps.size, rng=rng) >> np.uint64(11)).reshape(steps.shape) * 2.0**-53
    return np.asarray(below + (chances < steps - below)).astype(np.int64)


def _saturated(noisy: Integers, grid: FixedPoint, *, clipped: int) -> Noised:
    saturated = int(np.count_nonzero(np.abs(noisy) > grid.limit))
    return Noised(np.clip(noisy, -grid.limit, grid.limit), clipped, saturated)
