"""The table of threshold ElGamal."""

from collections.abc import Mapping
from typing import Final, Literal

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.elgamal_forms import FormName
from mdl.schemes.encodings import EncodingName, capacity_problems, explain_capacity
from mdl.schemes.groups import GroupName, group
from mdl.schemes.settings.base import Exponentiations, Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption

IN_FORM: Final[Mapping[FormName, str]] = {
    "single": "",
    "grid": " as a grid, a key for each position in a block and a nonce for each block,",
    "naive": " by the printed exponentiations without tables, the slow baseline,",
}


class ElGamalSettings(SchemeSettings):
    """Threshold ElGamal (`mdl.schemes.elgamal`).

    Attributes:
        group: where discrete logarithms are to be hard.
        encoding: how an integer becomes an element.
        form: ``"single"``; ``"grid"``, which is faster and wants blocks, best of about √t parameters; or
            ``"naive"``, to compare with (`mdl.schemes.elgamal_forms`).
    """

    type: Literal["elgamal"] = "elgamal"
    group: GroupName = "schnorr2048"
    encoding: EncodingName = "lifted"
    form: FormName = "single"

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
            form=self.form,
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        problems = wanted.problems()
        if self.form == "grid" and wanted.block == 1:
            problems.append('form = "grid" needs blocks of 2 parameters or more, best of about √t')
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
            f"ElGamal{IN_FORM[self.form]} in {self.group}, {chosen.description} ({level}), "
            f"opened by any {wanted.threshold} workers. The {self.encoding} encoding has {fit}."
        )

    def exponentiations(self, wanted: Requirements) -> Exponentiations:
        """See `SchemeSettings`."""
        block = wanted.block
        return Exponentiations(
            encrypt=block + 1 if self.form == "grid" else 2 * block,
            share=block,
            manager=wanted.threshold * block if self.form == "naive" else 0,
        )
