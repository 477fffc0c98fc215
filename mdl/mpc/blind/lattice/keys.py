"""Keys of the scheme in `masks`, and what is drawn afresh each time."""

from dataclasses import dataclass

import numpy as np
import torch

from mdl.mpc.blind.lattice.coefficients import Coefficients, joined
from mdl.mpc.blind.lattice.ternary import Spectrum, product, spectra, times, transforms
from mdl.mpc.keystream import Keystream
from mdl.schemes.bfv import ternary
from mdl.schemes.rlwe import binomial
from mdl.system import Randomness


@dataclass(frozen=True, eq=False)
class SecretKey:
    """The transform of s, ternary."""

    spectrum: Spectrum

    def __repr__(self) -> str:
        return "SecretKey(...)"

    @staticmethod
    def drawn(degree: int, *, rng: Randomness) -> "SecretKey":
        """Draw one."""
        return SecretKey(spectra(ternary.draw((degree,), rng=rng)))

    def times(self, polynomials: Coefficients) -> Coefficients:
        """Multiply polynomials by s, shape (count, N)."""
        return times(polynomials, self.spectrum)

    def hidden_zeros(self, public: Coefficients, *, rng: Randomness) -> Coefficients:
        """Give e - a s for each polynomial a, shape (count, N)."""
        return errors(public.shape, rng=rng) + -self.times(public)


@dataclass(frozen=True, eq=False)
class PublicKey:
    """Transforms of b = e - a s and of a, shape (3, N)."""

    b: Spectrum
    a: Spectrum

    @staticmethod
    def of(b: Coefficients, stream: Keystream) -> "PublicKey":
        """Make it of b, shape (1, N), and of what a is drawn from."""
        return PublicKey(transforms(b)[:, 0], transforms(Coefficients.drawn(stream, b.shape))[:, 0])

    def hidden_zeros(self, count: int, *, rng: Randomness) -> tuple[Coefficients, Coefficients]:
        """Give b u and a u + e for fresh u and e: shapes (count, N)."""
        degree = self.a.shape[-1]
        first, second = [], []
        for _ in range(count):
            u = spectra(ternary.draw((1, degree), rng=rng))
            first.append(product(self.b[:, None], u))
            second.append(product(self.a[:, None], u))
        return joined(first), joined(second) + errors(torch.Size([count, degree]), rng=rng)


def errors(shape: torch.Size, *, rng: Randomness) -> Coefficients:
    """Draw errors."""
    found = np.zeros(shape, np.int32)
    binomial.add(found, rng=rng)
    return Coefficients.of(torch.from_numpy(found).to(torch.int64))
