"""The table of threshold ElGamal."""

from typing import Literal

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import EncodingName, capacity_problems, explain_capacity
from mdl.schemes.groups import GroupName, group
from mdl.schemes.settings.base import Exponentiations, Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption


class ElGamalSettings(SchemeSettings):
    """Threshold ElGamal (`mdl.schemes.elgamal`)."""

    type: Literal["elgamal"] = "elgamal"
    group: GroupName = "schnorr2048"
    encoding: EncodingName = "lifted"

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return ElGamal(
            group=self.group,
            encoding=self.encoding,
            block=wanted.block,
            threshold=wanted.threshold,
            fixed_point=wanted.fixed_point,
            members_limit=wanted.members,
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        problems = wanted.problems()
        if wanted.members >= 1:
            chosen = group(self.group)
            problems += capacity_problems(self.encoding, chosen, wanted.fixed_point, wanted.members)
        return problems

    @property
    def security_bits(self) -> int:
        """Security level of the group; 0 if a person can break it."""
        return group(self.group).security_bits

    @property
    def heavy(self) -> bool:
        """Exponentiations are."""
        return True

    def describe(self, wanted: Requirements) -> str:
        """See `SchemeSettings`."""
        chosen = group(self.group)
        level = "NO SECURITY" if self.insecure else f"about {chosen.security_bits} bits of security"
        fit = explain_capacity(self.encoding, chosen, wanted.fixed_point, wanted.members)
        return (
            f"ElGamal in {self.group}, {chosen.description} ({level}), "
            f"opened by any {wanted.threshold} workers. The {self.encoding} encoding has {fit}."
        )

    def exponentiations(self, wanted: Requirements) -> Exponentiations:
        """See `SchemeSettings`."""
        return Exponentiations(encrypt=2 * wanted.block, share=wanted.block)
