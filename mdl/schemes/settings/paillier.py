"""The table of threshold ElGamal modulo N²."""

from typing import Final, Literal

from mdl.schemes.packing import Packing
from mdl.schemes.paillier import Paillier
from mdl.schemes.settings.base import Exponentiations, Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption

_BITS: Final = {2048: 2048, 3072: 3072, "insecure512": 512}

_SECURITY_BITS: Final = {2048: 112, 3072: 128, "insecure512": 0}
"""Security level by the bits of N [NIST SP 800-57 part 1, table 2]."""


class PaillierSettings(SchemeSettings):
    """Additively homomorphic and packed: ElGamal modulo N² (`mdl.schemes.paillier`).

    Attributes:
        modulus: bits of N, or a toy.
    """

    type: Literal["paillier"] = "paillier"
    modulus: Literal[2048, 3072, "insecure512"] = 2048

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return self._scheme(wanted)

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        problems = wanted.problems()
        if wanted.members < 1:
            return problems
        packing = self._packing(wanted)
        if too_wide := packing.problems():
            return problems + too_wide
        if 1 <= wanted.block < packing.slots:
            problems.append(
                f"a plaintext holds {packing.slots} parameters and costs the same however few are in it: "
                f"take blocks of at least {packing.slots}, not {wanted.block}"
            )
        if wanted.threshold > wanted.workers >= 1:
            problems.append(f"{wanted.threshold} openers are more than the {wanted.workers} workers")
        return problems

    @property
    def security_bits(self) -> int:
        """Security level of the modulus; 0 if a person can break it."""
        return _SECURITY_BITS[self.modulus]

    @property
    def heavy(self) -> bool:
        """Exponentiations are."""
        return True

    def describe(self, wanted: Requirements) -> str:
        """See `SchemeSettings`."""
        packing, scheme = self._packing(wanted), self._scheme(wanted)
        level = "NO SECURITY" if self.insecure else f"about {self.security_bits} bits of security"
        return (
            f"ElGamal modulo N², N of {_BITS[self.modulus]} bits ({level}), additive, opened by any "
            f"{wanted.threshold} workers, whose key shares have {scheme.sharing.share_bits} bits. "
            f"{packing.slots} parameters are packed into a plaintext, in slots of {packing.slot_bits} bits "
            f"for sums up to ±{wanted.fixed_point.bound(wanted.members):,}."
        )

    def exponentiations(self, wanted: Requirements) -> Exponentiations:
        """See `SchemeSettings`. Exponents have 256 bits or little more; the manager's a few dozen."""
        scheme = self._scheme(wanted)
        each = scheme.plaintexts + scheme.lines
        return Exponentiations(encrypt=each, share=each, manager=scheme.plaintexts * (wanted.threshold + 1))

    def _packing(self, wanted: Requirements) -> Packing:
        return Packing(_BITS[self.modulus], wanted.fixed_point, wanted.members)

    def _scheme(self, wanted: Requirements) -> Paillier:
        return Paillier(
            modulus_bits=_BITS[self.modulus],
            block=wanted.block,
            threshold=wanted.threshold,
            workers=wanted.workers,
            fixed_point=wanted.fixed_point,
            members_limit=wanted.members,
        )
