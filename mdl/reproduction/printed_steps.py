"""The cryptography of ∝MDL as printed, step by step, in one process [∝MDL, Algorithms 1 to 3].

No tables, no short exponents: p = 2q + 1, nonces and keys uniform in [0, q), gradients as exp(∇) times a
power of two. It is the paper's baseline, for its times alone; the system is in `mdl.schemes.elgamal`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from mdl.bench.clock import best, timed, undisturbed
from mdl.errors import SchemeError
from mdl.schemes import shamir
from mdl.schemes.encodings import Exponential
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.modular import Elements, SafePrimeGroup
from mdl.schemes.prime_order import Exponents
from mdl.schemes.printed_groups import printed_group
from mdl.schemes.randomness import SystemRandomness
from mdl.vectors import Integers

GRID: Final = FixedPoint(range=1.0, fraction_bits=7)
"""The finest encoding of which 16 factors fit 256 bits; times do not depend on it."""


@dataclass(frozen=True)
class PrintedSeconds:
    """CPU seconds a value.

    Attributes:
        encrypt: one worker's exp(∇)·h^r and g^r (Algorithm 3, line 8).
        coefficients: the manager's g^{z_i r} for all members (Algorithm 2, lines 7 and 8).
        share: one worker's (g^{z_i r})^{s_i} (Algorithm 3, line 11).
        decrypt: the manager's products, inverse and logarithm (Algorithm 2, line 10).
    """

    encrypt: float
    coefficients: float
    share: float
    decrypt: float

    def to_json(self) -> dict[str, float]:
        """Give it by name."""
        return asdict(self)


def measure_printed(bits: int, members: int, *, values: int, runs: int) -> PrintedSeconds:
    """Time the printed steps for an active set of so many members, who all answer.

    The printed points x_i are open; here they are drawn from Z_q, so that no Lagrange coefficient is a small
    integer, to which raising costs little.

    Args:
        bits: of the key, one of `mdl.schemes.printed_groups.BELOW`.
        members: m.
        values: gradients that are encrypted, by each member.
        runs: the best of so many is taken.

    Raises:
        SchemeError: the sums are wrong: whatever was measured is not the protocol.
    """
    with undisturbed():
        return _Exchange(printed_group(bits), members, values).measure(runs)


class _Exchange:
    """One epoch's exchange of some values among the members of one set."""

    def __init__(self, group: SafePrimeGroup, members: int, values: int) -> None:
        self._group = group
        self._encoding = Exponential(group, GRID, members)
        if problems := self._encoding.problems():
            raise SchemeError("; ".join(problems))
        self._rng = SystemRandomness()
        q = int(group.q)
        self._points = [1 + self._rng.below(q - 1) for _ in range(members)]
        key = shamir.polynomial(members, q, rng=self._rng)
        self._shares = shamir.shares(key, self._points, q)
        self._z = shamir.lagrange_at_zero(self._points, q)
        self._h = group.powers(group.generator, Exponents([key[0]]))
        limit = GRID.limit
        drawn = np.random.default_rng(1).integers(-limit, limit, (members, values), endpoint=True)
        self._plaintexts: Sequence[Integers] = list(drawn)

    def measure(self, runs: int) -> PrintedSeconds:
        """Run it, check what comes out, then time each step again."""
        first, *others = self._plaintexts
        me, *them = self._points
        upload, encrypt = timed(lambda: self._encrypt(first))
        uploads = [upload, *(self._encrypt(plaintext) for plaintext in others)]
        bodies, hints = [body for body, _ in uploads], [hint for _, hint in uploads]
        asked, coefficients = timed(lambda: self._ask(hints))
        answer, share = timed(lambda: self._answer(me, asked[0]))
        answers = [answer, *(self._answer(*each) for each in zip(them, asked[1:], strict=True))]
        sums, decrypt = timed(lambda: self._decrypt(bodies, answers))
        if not np.array_equal(sums, sum(self._plaintexts)):
            raise SchemeError("the printed exchange opened other sums than those of its values")

        def each(step: Callable[[], Any], once: float) -> float:
            return best(step, runs, once) / len(first)

        return PrintedSeconds(
            encrypt=each(lambda: self._encrypt(first), encrypt),
            coefficients=each(lambda: self._ask(hints), coefficients),
            share=each(lambda: self._answer(me, asked[0]), share),
            decrypt=each(lambda: self._decrypt(bodies, answers), decrypt),
        )

    def _encrypt(self, plaintext: Integers) -> tuple[Elements, Elements]:
        group, q = self._group, int(self._group.q)
        nonces = Exponents([self._rng.below(q) for _ in range(len(plaintext))])
        masks = group.powers(self._h, nonces)
        bodies = group.multiply([self._encoding.elements(plaintext), masks])
        return bodies, group.powers(group.generator, nonces)

    def _ask(self, hints: Sequence[Elements]) -> Sequence[Elements]:
        product = self._group.multiply(hints)
        return [self._group.raised(product, self._z[point]) for point in self._points]

    def _answer(self, point: int, asked: Elements) -> Elements:
        return self._group.raised(asked, self._shares[point])

    def _decrypt(self, bodies: Sequence[Elements], answers: Sequence[Elements]) -> Integers:
        masks = self._group.multiply(answers)
        # One inverse a value, as is printed; the system inverts many by one.
        inverses = [self._group.inverses([mask])[0] for mask in masks]
        opened = self._group.multiply([self._group.multiply(bodies), inverses])
        return self._encoding.decode(opened, len(self._points))
