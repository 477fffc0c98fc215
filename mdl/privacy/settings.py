"""The ``privacy`` table of a system: which noise a worker adds to what it contributes."""

import math
from statistics import NormalDist
from typing import Annotated, Final, Literal, Self, TypeAlias

from annotated_types import Gt, Lt
from pydantic import Field, model_validator

from mdl.privacy import concentrated
from mdl.privacy.discrete import SCALE_LIMIT
from mdl.privacy.mechanisms import GaussianMechanism, LaplaceMechanism
from mdl.schemes.fixed_point import FixedPoint
from mdl.settings import Settings

SATURATING: Final = 1e-6
"""The range that is chosen for Laplace noise cuts off no value with a greater chance than this."""

SATURATING_IN_SUMS: Final = 1e-25
"""The same for Gaussian noise, whose sums are given a figure of their own (`mdl.privacy.ldp.spent_in_sums`).

A sum of saturated values tells a little more than a sum of values. So none may saturate in all of a run.
"""

CLIP_STEPS: Final = 16
"""Steps from zero to the clip, at least, on a grid that is chosen for noisy gradients."""

_LENGTH_LIMIT: Final = 1 << 31
"""Squares of lengths up to this fit 64 bits, whatever rounding adds."""


class NoNoise(Settings):
    """Gradients are contributed as they are (`mdl.schemes` hides them, and sums only are opened)."""

    type: Literal["none"] = "none"


class LaplaceNoise(Settings):
    """Laplace noise on each coordinate (`mdl.privacy.mechanisms.LaplaceMechanism`).

    Attributes:
        epsilon: of each parameter and epoch, as in the paper.
        clip: gamma: each entry of the epoch gradient is cut to ± this first. 0.5 makes the noise the paper's
            Lap(1/epsilon).
    """

    type: Literal["laplace"] = "laplace"
    epsilon: Annotated[float, Gt(0)]
    clip: Annotated[float, Gt(0)] = 0.5

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise of one value: sqrt(2) 2 gamma / epsilon."""
        return math.sqrt(2) * 2 * self.clip / self.epsilon

    @property
    def reach(self) -> float:
        """Where a range must end so that it cuts off no value with a greater chance than `SATURATING`."""
        return 2 * self.clip / self.epsilon * (self._log_cosh - math.log(SATURATING))

    def saturating(self, largest: float) -> float:
        """Give the chance that a value at the clip saturates in ±largest, which is at least the clip."""
        return math.exp(self._log_cosh - largest * self.epsilon / (2 * self.clip))

    @property
    def _log_cosh(self) -> float:
        """ln(cosh(gamma / b)): by how much both tails together are likelier from the clip than from zero."""
        return self.epsilon / 2 + math.log1p(math.exp(-self.epsilon)) - math.log(2)

    def mechanism(self, grid: FixedPoint) -> LaplaceMechanism:
        """Make what releases on `grid`."""
        return LaplaceMechanism(grid, _steps(self.clip, grid), self.epsilon)

    def problems(self, grid: FixedPoint) -> list[str]:
        """Say why this noise cannot be added on `grid`."""
        found = _clip_problems(self.clip, grid)
        if not found and self.mechanism(grid).scale > SCALE_LIMIT:
            found.append(f"system.privacy.epsilon: {self.epsilon:g} asks for noise of more than 2^40 steps")
        return found


class GaussianNoise(Settings):
    """Gaussian noise on a whole contribution (`mdl.privacy.mechanisms.GaussianMechanism`).

    Give either `noise_multiplier`, or `epsilon` and `delta`.

    Attributes:
        clip: C: a contribution whose Euclidean norm is larger is scaled to it.
        noise_multiplier: z: sigma is z times the sensitivity 2C.
        epsilon: of each epoch's whole contribution.
        delta: of each epoch's whole contribution.
    """

    type: Literal["gaussian"] = "gaussian"
    clip: Annotated[float, Gt(0)]
    noise_multiplier: Annotated[float, Gt(0)] | None = None
    epsilon: Annotated[float, Gt(0)] | None = None
    delta: Annotated[float, Gt(0), Lt(1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        target = (self.epsilon is not None, self.delta is not None)
        if target != ((False, False) if self.noise_multiplier is not None else (True, True)):
            raise ValueError("give either noise_multiplier, or both epsilon and delta (of one epoch)")
        return self

    @property
    def multiplier(self) -> float:
        """z, as given, or the smallest that zCDP shows to keep epsilon and delta."""
        if self.noise_multiplier is not None:
            return self.noise_multiplier
        assert self.epsilon is not None
        assert self.delta is not None
        return math.sqrt(1 / (2 * concentrated.rho(self.epsilon, self.delta)))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise of one value: 2 C z."""
        return 2 * self.clip * self.multiplier

    @property
    def reach(self) -> float:
        """Where a range must end to cut off no value with a greater chance than `SATURATING_IN_SUMS`."""
        return self.clip - self.deviation * NormalDist().inv_cdf(SATURATING_IN_SUMS / 2)

    def saturating(self, largest: float) -> float:
        """Give the chance that a value at the clip saturates in ±largest, which is at least the clip."""
        tails = ((largest - side * self.clip) / self.deviation for side in (1, -1))
        return sum(math.erfc(tail / math.sqrt(2)) / 2 for tail in tails)

    def mechanism(self, grid: FixedPoint) -> GaussianMechanism:
        """Make what releases on `grid`."""
        return GaussianMechanism(grid, _steps(self.clip, grid), self.multiplier)

    def problems(self, grid: FixedPoint) -> list[str]:
        """Say why this noise cannot be added on `grid`."""
        found = _clip_problems(self.clip, grid)
        if _steps(self.clip, grid) >= _LENGTH_LIMIT:
            found.append(
                f"system.privacy.clip: {self.clip:g} is 2^31 steps or more; lower it, or system.fraction_bits"
            )
        elif not found and self.mechanism(grid).sigma >= SCALE_LIMIT:
            found.append("system.privacy: it asks for noise of 2^40 steps or more; lower it")
        return found


AnyNoise: TypeAlias = LaplaceNoise | GaussianNoise
"""The tables that ask for noise."""

AnyPrivacy: TypeAlias = Annotated[NoNoise | LaplaceNoise | GaussianNoise, Field(discriminator="type")]


def coarsest_bits(noise: AnyNoise) -> int:
    """Give the fewest fraction bits, at least 1, whose grid has `CLIP_STEPS` steps from zero to the clip."""
    return max(1, math.ceil(math.log2(CLIP_STEPS / noise.clip)))


def _steps(clip: float, grid: FixedPoint) -> int:
    return math.floor(clip * 2.0**grid.fraction_bits)


def _clip_problems(clip: float, grid: FixedPoint) -> list[str]:
    if not _steps(clip, grid):
        return [
            f"system.privacy.clip: {clip:g} is less than one step of a grid of {grid.fraction_bits} fraction "
            'bits: set system.fraction_bits = "auto", or raise one of them'
        ]
    if clip > grid.range:
        return [
            f"system.range: ±{grid.range:g} does not even hold what privacy.clip = {clip:g} lets pass: "
            'set system.range = "auto"'
        ]
    return []
