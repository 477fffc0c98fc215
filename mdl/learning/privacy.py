"""The `[learning.privacy]` table: whether and how a worker's single records are protected. Free of torch."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from mdl.errors import ConfigError
from mdl.privacy import moments, record_level
from mdl.privacy.record_level import Guarantee, Sampling
from mdl.settings import Settings

_NOISIEST: Final = 10_000
"""The largest noise multiplier: far beyond any use, and well within what noise on the integers can be."""


_LEAST_CLIP, _LARGEST_CLIP = 1e-20, 1e20
"""Between them neither a clip nor a gradient of its norm, in steps of the grid, leaves float32."""


class NoRecordPrivacy(Settings):
    """`type = "none"`: plain training. What leaves a worker may tell of any of its records."""

    type: Literal["none"] = "none"


class DpSgd(Settings):
    """`type = "dp-sgd"`: differentially private stochastic gradient descent in local training.

    M. Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, Algorithm 1. Give either
    `noise_multiplier` or `epsilon`.

    Attributes:
        clip: each example's gradient is shortened to this L2 norm; within 1e-20 and 1e20.
        noise_multiplier: standard deviation of the noise on the sum of a step's gradients, in clips.
        epsilon: what each worker's local epochs may spend, as many as the experiment has; the noise follows
            from it, and from the worker's number of examples.
        delta: δ of the guarantee; below 1 / examples at every worker.
    """

    type: Literal["dp-sgd"] = "dp-sgd"
    clip: float = Field(default=1.0, gt=0)
    noise_multiplier: float | None = Field(default=None, gt=0, le=_NOISIEST)
    epsilon: float | None = Field(default=None, gt=0)
    delta: float = Field(default=1e-5, gt=0, lt=1)

    @field_validator("clip")
    @classmethod
    def _gradients_can_be_clipped_to_it(cls, clip: float) -> float:
        if not _LEAST_CLIP <= clip <= _LARGEST_CLIP:
            raise ValueError(
                f"{clip:g} is not within {_LEAST_CLIP:g} and {_LARGEST_CLIP:g}: gradients are 32-bit "
                "numbers, which cannot be clipped to it (1.0 is usual)"
            )
        return clip

    @model_validator(mode="after")
    def _one_word_for_the_noise(self) -> Self:
        if (self.noise_multiplier is None) == (self.epsilon is None):
            raise ValueError(
                "give either noise_multiplier (1.0 is usual), or epsilon, from which it is calculated"
            )
        return self

    def noise_over(self, epochs: int, sampling: Sampling) -> float:
        """Give the noise multiplier; where the file has ε, the one with which `epochs` epochs keep to it.

        Raises:
            ConfigError: ε is so small that no noise up to `_NOISIEST` is shown to keep to it.
        """
        if self.noise_multiplier is not None:
            return self.noise_multiplier
        assert self.epsilon is not None
        steps = epochs * sampling.steps
        # At the bound first: the search for the least noise does not end well where it is beyond all use.
        if moments.epsilon(_NOISIEST, sampling.rate, steps, self.delta) > self.epsilon:
            raise ConfigError(
                [
                    "learning.privacy.epsilon: not even with a noise multiplier of "
                    f"{_NOISIEST:,}, by which nothing is learned, are {epochs} epochs shown to keep to "
                    f"{self.epsilon:g}; raise it (1 to 8 are usual)"
                ]
            )
        return record_level.noise_multiplier_for(self.epsilon, sampling.rate, steps, self.delta)

    def check(self, examples: int) -> None:
        """Make sure that δ means something for so many examples.

        Raises:
            ConfigError: to publish one of them at random would satisfy it.
        """
        if self.delta * examples >= 1:
            raise ConfigError(
                [
                    f"learning.privacy.delta: {self.delta:g} is not below 1/{examples:,}, a worker's "
                    f"examples: to publish one of them would keep to it; set it to {_below(examples):g}"
                ]
            )


AnyRecordPrivacy: TypeAlias = Annotated[NoRecordPrivacy | DpSgd, Field(discriminator="type")]


def spent(privacy: DpSgd, sampling: Sampling, *, epochs: int, planned: int) -> Guarantee:
    """Give what a worker's local epochs have spent so far.

    The first call with other numbers takes up to a second, a later one nothing.

    Args:
        privacy: the settings.
        sampling: the worker's (`LearningSettings.sampling`).
        epochs: local epochs whose results were or may have been released, repeated ones included, and those
            of a model trained alone.
        planned: the experiment's epochs, over which ε is meant.
    """
    noise = privacy.noise_over(planned, sampling)
    epsilon = record_level.epsilon(noise, sampling.rate, epochs * sampling.steps, privacy.delta)
    return Guarantee(epsilon, privacy.delta)


def explain(
    privacy: DpSgd, sampling: Sampling | None, *, epochs: int, alone: bool, own_pace: bool
) -> Sequence[str]:
    """Say what DP-SGD protects, and what it spends. A paragraph each.

    Args:
        privacy: the settings.
        sampling: a worker's; None where nobody knows before the data is read.
        epochs: the experiment's.
        alone: whether each worker also trains alone, for comparison.
        own_pace: whether workers may train for more epochs than the experiment's.
    """
    promise = (
        f"Records: each worker trains by DP-SGD. Every example's gradient is cut to norm {privacy.clip:g}, "
        "and noise is added to their sum before it is used. All that a worker ever sends follows from these "
        "noisy steps, so the guarantee holds for each of its records, against the manager, the other workers "
        "and whoever gets the final model. It does not hide what is common to many records, nor that the "
        "worker takes part. A record that several workers hold is protected at each of them, and what they "
        "spend adds up."
    )
    twice = None
    if alone and sampling is not None:
        twice = spent(privacy, sampling, epochs=2 * epochs, planned=epochs)
    beyond = _beyond(alone=alone, twice=twice, own_pace=own_pace)
    return [promise, _figure(privacy, sampling, epochs), *beyond]


def _figure(privacy: DpSgd, sampling: Sampling | None, epochs: int) -> str:
    if sampling is None:
        aim = (
            f"noise multiplier {privacy.noise_multiplier:g}"
            if privacy.noise_multiplier is not None
            else f"ε = {privacy.epsilon:g}"
        )
        return f"What it spends depends on each worker's number of examples ({aim}, δ = {privacy.delta:g})."
    noise, steps = privacy.noise_over(epochs, sampling), epochs * sampling.steps
    arguments = (noise, sampling.rate, steps, privacy.delta)
    exact, above = record_level.epsilon(*arguments), record_level.renyi_epsilon(*arguments)
    verdict = "" if exact <= record_level.MEANINGLESS else " So large an ε protects nothing."
    return (
        f"{epochs} epochs of {sampling.steps} steps, each on every example with probability "
        f"{sampling.rate:.3g}, noise multiplier {noise:.3g}: ε = {exact:.3g} at δ = {privacy.delta:g} "
        f"(privacy loss distributions; Rényi: {above:.3g}).{verdict}"
    )


def _beyond(*, alone: bool, twice: Guarantee | None, own_pace: bool) -> Sequence[str]:
    said = []
    if alone:
        total = f", in all ε = {twice.epsilon:.3g} at δ = {twice.delta:g}" if twice else ""
        said.append(
            "alone = true trains each worker's model a second time, privately too: the accuracy that is "
            f"reported of it costs as many epochs again{total}. alone = false spares that."
        )
    if own_pace:
        said.append(
            "Workers go at their own pace: a fast one trains for more epochs, and spends more, than the "
            "experiment's epochs say."
        )
    return said


def _below(examples: int) -> float:
    """Give a round δ below 1 / examples, by a factor of ten at least."""
    return 10.0 ** -(len(str(examples)) + 1)
