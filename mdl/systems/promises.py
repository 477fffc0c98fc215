"""What the noise of a system promises, and what it does not, in words, for `mdl check`."""

from typing import Final, Protocol

from mdl.privacy.ldp import mean_variance, quantity, spent, spent_in_sums
from mdl.privacy.settings import AnyNoise, GaussianNoise, LaplaceNoise
from mdl.systems.visibility import VisibilitySettings

SATURATION_SAID: Final = 1e-5
"""From this share of saturating values on, a range that was set by hand is warned of."""

COARSE: Final = 0.1
"""From this share of its squared norm on, what random rounding adds to a clipped contribution is told."""


def explain_noise(system: VisibilitySettings, *, workers: int, parameters: int) -> list[str]:
    """Give a paragraph on what is promised, and one on each thing to worry about; [] without noise."""
    noise = system.noise
    if noise is None:
        return []
    k = system.contributed_parameters(workers, parameters)
    return [
        f"Privacy: {promise(noise, k)} {_in_sums(system, noise, workers, k)} A worker's own model is without "
        "this noise, and stays with the worker.",
        *_warnings(system, noise, workers=workers, contributed=k),
    ]


class Noisy(Protocol):
    """A system whose workers add noise to what they contribute."""

    @property
    def noise(self) -> AnyNoise | None:
        """The noise, if any is added."""

    def contributed_parameters(self, workers: int, parameters: int) -> int:
        """Give how many parameters a worker contributes in an epoch."""

    def noisy_members(self, workers: int) -> float:
        """Give how many workers' noises are averaged in the mean that figures are of."""


def explain_spending(system: Noisy, *, workers: int, parameters: int, epochs: int) -> str | None:
    """Say what a worker will have spent after so many epochs, if nobody leaves; None without noise."""
    noise = system.noise
    if noise is None:
        return None
    k = system.contributed_parameters(workers, parameters)
    total = spent(noise, coordinates=k, epochs=epochs)
    duration = f"{epochs:,} epochs" if epochs > 1 else "one epoch"
    plainly = ""
    if isinstance(noise, LaplaceNoise) and total.way == "zCDP":
        product = f"{noise.epsilon:g} x {k:,} parameters x {duration}"
        plainly = f" (added up plainly: {quantity(noise.epsilon * k * epochs)} = {product})"
    return f"Privacy spent by each worker in {duration}: {total}{plainly}."


def promise(noise: AnyNoise, contributed: int) -> str:
    """Say what noise on so many parameters promises in one epoch."""
    if isinstance(noise, LaplaceNoise):
        return _per_parameter(noise, contributed)
    return _of_contribution(noise, contributed)


def _per_parameter(noise: LaplaceNoise, k: int) -> str:
    return (
        f"each entry of a gradient is clipped to ±{noise.clip:g}, rounded to the grid and given discrete "
        f"Laplace noise of scale {2 * noise.clip / noise.epsilon:.4g} before anything of it leaves. For each "
        f"parameter and epoch this is ε = {noise.epsilon:g}, whatever changes in the worker's data. For the "
        f"{k:,} parameters that a worker contributes in one epoch it comes to "
        f"{spent(noise, coordinates=k, epochs=1)}."
    )


def _of_contribution(noise: GaussianNoise, k: int) -> str:
    return (
        f"what a worker contributes in one epoch is scaled to a norm of {noise.clip:g} at most, rounded to "
        f"the grid and given discrete Gaussian noise of standard deviation {noise.deviation:.4g} a value "
        f"(z = {noise.multiplier:.4g}) before anything of it leaves. For each epoch's whole contribution "
        f"this is {spent(noise, coordinates=k, epochs=1)}, whatever changes in the worker's data."
    )


def _in_sums(system: VisibilitySettings, noise: AnyNoise, workers: int, k: int) -> str:
    """Say what ρ-visibility adds: who sees sums alone does not see one worker's noise alone."""
    m = system.visibility_threshold(workers)
    deviation = mean_variance(noise, m) ** 0.5
    if isinstance(noise, LaplaceNoise):
        return (
            f"The mean of a set of {m} has noise of standard deviation {deviation:.3g} [∝MDL, Theorem 1]; "
            f"against a coalition of c of its members, {m} - c noises protect the others."
        )
    grid = system.grid(workers)
    if m > 1 and spent_in_sums(noise, grid, honest=m, coordinates=k, epochs=1) == spent(
        noise, coordinates=k, epochs=1
    ):
        return (
            f"The mean of a set of {m} has noise of standard deviation {deviation:.3g}. What sums give away "
            "is counted as what contributions do: for a figure of its own, values must not saturate "
            f"(±{grid.range:g} is given, ±{noise.reach:.4g} needed), and noise must be wider than a step."
        )
    knowing = sorted({0, 1, m // 2, m - 1})
    left = (spent_in_sums(noise, grid, honest=m - c, coordinates=k, epochs=1) for c in knowing)
    return (
        f"The mean of a set of {m} has noise of standard deviation {deviation:.3g}; against a coalition of c "
        f"of its members, {m} - c noises protect the others: for c = {', '.join(map(str, knowing))} this is "
        f"ε = {', '.join(quantity(each.epsilon) for each in left)}."
    )


def _warnings(system: VisibilitySettings, noise: AnyNoise, *, workers: int, contributed: int) -> list[str]:
    grid, found = system.grid(workers), []
    chance = noise.saturating(grid.range)
    if chance > SATURATION_SAID:
        found.append(
            f"Warning: up to {chance:.2%} of the noisy values will not fit ±{grid.range:g} and saturate, "
            f'which biases sums. Clip and noise need ±{noise.reach:.4g}; range = "auto" sees to it.'
        )
    if isinstance(noise, GaussianNoise):
        # Rounding a value at random adds up to 1/4 to its square, in steps of the grid.
        added = contributed / 4 / noise.mechanism(grid).clip ** 2
        if added > COARSE:
            found.append(
                f"Warning: the grid of {grid.fraction_bits} fraction bits is coarse for a norm of "
                f"{noise.clip:g} over {contributed:,} parameters: to stay within it, rounded contributions "
                "are shortened to a fraction. Raise system.fraction_bits or system.privacy.clip."
            )
    return found
