"""Adam and AMSGrad, in secret.

D. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015. S. Reddi, S. Kale, S. Kumar, On the
convergence of Adam and beyond, ICLR 2018. In secret, with an approximate inverse root: Keller and Sun, ICML
2022, whose constants these are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS, constant
from mdl.mpc.functions import ROOT_BITS, inverse_square_root
from mdl.mpc.layers import Layer
from mdl.mpc.optimisers.rule import Back, gradients, move, slots
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret, concatenated

BETA_1: Final = 0.9
BETA_2: Final = 0.999

EPSILON: Final = 2.0**-10.5
"""ε, of mean gradients: of 2^7 times as much, 2^-3.5."""

_GRADIENT_BITS: Final = 7
"""Gradients are those of the batch's mean times 2^7: of 128 examples, their sum."""

_SECOND_BITS: Final = 20
"""Binary digits of the second moment's fraction: it is below 2^11."""

_SHARE_BITS: Final = 18
_SECOND_SHARE: Final = constant(1 - BETA_2, _SHARE_BITS)

_RATE_BITS: Final = 22

_AT_ONCE: Final = 1 << 18
"""Parameters whose inverse roots are computed at once: a kilobyte of memory each."""


@dataclass
class Adam:
    """m <- 0.9 m + 0.1 g; v <- 0.999 v + 0.001 g^2; then p <- p - rate m^ / sqrt(v^ + ε^2).

    m^ = m / (1 - 0.9^t) and v^ = v / (1 - 0.999^t) in step t, or if `amsgrad`, the largest v so far in place
    of v, as in torch. That root is within 0.3 %. Gradients of the batch's mean must be below 11, and below
    0.35 in the root mean square over hundreds of steps, the present one included; training of the networks A
    to D stays below 0.05.

    Attributes:
        rate: the learning rate.
        batch_bits: log2 of the examples in a batch.
        amsgrad: whether second moments never shrink.
        steps: taken so far, t.
        moments: by name, all parameters of the network one after another: `first` m, 16 fraction bits;
            `second` v, 20; `largest` v so far, 20, if `amsgrad`. None before the first step.
    """

    rate: float
    batch_bits: int
    amsgrad: bool = True
    steps: int = 0
    moments: Mapping[str, Secret] | None = None

    async def step(self, engine: Engine, layers: Sequence[Layer], back: Back) -> None:
        """See `Optimiser`."""
        found = gradients(layers, back)
        drop = FRACTION_BITS + self.batch_bits - _GRADIENT_BITS
        rounded: list[Secret] = await together(*(gradient.divided(engine, drop) for _, gradient in found))
        gradient = concatenated([each.reshape(-1) for each in rounded])
        before = self.state(layers)
        self.steps += 1
        first, second = await together(
            _first_moment(engine, before["first"], gradient),
            _second_moment(engine, before["second"], gradient),
        )
        self.moments = {"first": first, "second": second}
        largest = second
        if self.amsgrad:
            largest = await _larger(engine, before["largest"], second)
            self.moments = {**self.moments, "largest": largest}
        cuts = [slice(cut, cut + _AT_ONCE) for cut in range(0, first.shape[0], _AT_ONCE)]
        steps = [await self._moves(engine, first[cut], largest[cut]) for cut in cuts]
        move(layers, [slot for slot, _ in found], concatenated(steps))

    async def _moves(self, engine: Engine, first: Secret, second: Secret) -> Secret:
        """Give by how much parameters shrink, in their fraction bits.

        That is rate m / (1 - 0.9^t) / sqrt(v / c + ε^2) with c = 1 - 0.999^t, so with public factors in
        front of it m / sqrt(v + c ε^2).
        """
        correction = 1 - BETA_2**self.steps
        epsilon = EPSILON * 2**_GRADIENT_BITS
        denominator = second + constant(correction * epsilon**2, _SECOND_BITS)
        root = await inverse_square_root(engine, denominator)
        ratio = await engine.scaled_product(multiply, first, root, FRACTION_BITS)
        # The root is that of 2^(20 - 16) v.
        rate = self.rate * math.sqrt(correction) / (1 - BETA_1**self.steps)
        factor = constant(rate * 2 ** ((_SECOND_BITS - FRACTION_BITS) / 2), _RATE_BITS)
        return await engine.truncate(ratio * factor, ROOT_BITS + _RATE_BITS - PARAMETER_BITS)

    def state(self, layers: Sequence[Layer]) -> Mapping[str, Secret]:
        """See `Optimiser`."""
        if self.moments is not None:
            return self.moments
        parameters = [layers[number].parameters[name].reshape(-1) for number, name in slots(layers)]
        names = ("first", "second", "largest") if self.amsgrad else ("first", "second")
        return dict.fromkeys(names, concatenated(parameters) * 0)

    def restore(self, state: Mapping[str, Secret], steps: int) -> None:
        """See `Optimiser`."""
        self.moments, self.steps = state, steps


async def _first_moment(engine: Engine, moment: Secret, gradient: Secret) -> Secret:
    share = constant(1 - BETA_1)
    return await engine.truncate(moment * ((1 << FRACTION_BITS) - share) + gradient * share, FRACTION_BITS)


async def _second_moment(engine: Engine, moment: Secret, gradient: Secret) -> Secret:
    """Add a share of the gradient's square, rounded once; the shares add up to one."""
    drop = 2 * FRACTION_BITS + _SHARE_BITS - _SECOND_BITS
    kept = (1 << drop) - (_SECOND_SHARE << drop - _SHARE_BITS)
    return await engine.scaled_product(multiply, gradient, gradient * _SECOND_SHARE, drop, plus=moment * kept)


async def _larger(engine: Engine, one: Secret, other: Secret) -> Secret:
    return one + await engine.select(await engine.negative(one - other), other - one)
