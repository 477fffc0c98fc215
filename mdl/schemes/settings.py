"""The ``scheme`` table of an experiment file, and what can be said of a scheme before it runs."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import EncodingName, capacity_problems, explain_capacity
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import GroupName, SafePrimeGroup, group
from mdl.schemes.plain import Plain
from mdl.schemes.threshold import ThresholdEncryption
from mdl.settings import Settings


@dataclass(frozen=True)
class Exponentiations:
    """Exponentiations of one parameter, by who does them.

    Attributes:
        encrypt: by each member, with full nonces, from tables of g and h. (The lifted encoding's g^v has an
            exponent of three bytes or less, and is not counted.)
        share: by each opener, of a new base, with a full exponent mod q.
        manager: by the manager, to add and combine.
    """

    encrypt: int
    share: int
    manager: int


class ElGamalSettings(Settings):
    """Threshold ElGamal (`mdl.schemes.elgamal`)."""

    type: Literal["elgamal"] = "elgamal"
    group: GroupName = "schnorr2048"
    encoding: EncodingName = "lifted"

    def build(
        self, *, block: int, threshold: int, fixed_point: FixedPoint, members: int
    ) -> ThresholdEncryption:
        """Make the scheme for sums of up to `members` entries.

        Raises:
            ValueError: what `problems` says.
        """
        if problems := self.problems(threshold=threshold, fixed_point=fixed_point, members=members):
            raise ValueError("; ".join(problems))
        return ElGamal(
            group=self.group,
            encoding=self.encoding,
            block=block,
            threshold=threshold,
            fixed_point=fixed_point,
            members_limit=members,
        )

    def problems(self, *, threshold: int, fixed_point: FixedPoint, members: int) -> list[str]:
        """Say why the scheme cannot be built, a sentence each; [] if it can."""
        problems = _count_problems(threshold, members)
        if members >= 1:
            problems += capacity_problems(self.encoding, group(self.group), fixed_point, members)
        return problems

    @property
    def security_bits(self) -> int | None:
        """Security level of the group; 0 if a person can break it."""
        return group(self.group).security_bits

    @property
    def insecure(self) -> bool:
        """Whether the group protects nothing, and is for tests and figures only."""
        return group(self.group).insecure

    def describe(self, *, threshold: int, fixed_point: FixedPoint, members: int) -> str:
        """Say in two sentences what protects, how well, and why the sums fit."""
        chosen = group(self.group)
        kind = "safe-prime" if isinstance(chosen, SafePrimeGroup) else "Schnorr"
        level = "NO SECURITY" if self.insecure else f"about {chosen.security_bits} bits of security"
        fit = explain_capacity(self.encoding, chosen, fixed_point, members)
        return (
            f"ElGamal in {self.group}, a {kind} group modulo a prime of {chosen.bits} bits ({level}), "
            f"opened by any {threshold} workers. The {self.encoding} encoding has {fit}."
        )

    @property
    def element_bytes(self) -> int:
        """Bytes of a parameter's body, of its hint, and of its decryption share."""
        return group(self.group).element_bytes

    @property
    def exponentiations(self) -> Exponentiations:
        """What a parameter costs."""
        return Exponentiations(encrypt=2, share=1, manager=0)


class PlainSettings(Settings):
    """No cryptography (`mdl.schemes.plain`): the oracle that the private schemes must equal."""

    type: Literal["plain"] = "plain"

    def build(
        self, *, block: int, threshold: int, fixed_point: FixedPoint, members: int
    ) -> ThresholdEncryption:
        """Make the scheme for sums of up to `members` entries. No threshold is needed to open what is open.

        Raises:
            ValueError: what `problems` says.
        """
        if problems := self.problems(threshold=threshold, fixed_point=fixed_point, members=members):
            raise ValueError("; ".join(problems))
        return Plain(block=block, bound=fixed_point.bound(members), members_limit=members)

    def problems(self, *, threshold: int, fixed_point: FixedPoint, members: int) -> list[str]:
        """Say why the scheme cannot be built, a sentence each; [] if it can."""
        problems = _count_problems(threshold, members)
        if fixed_point.bound(members) >= Plain.BOUND_LIMIT:
            problems.append(f"sums reach {fixed_point.bound(members):,}: lower range or fraction_bits")
        return problems

    @property
    def security_bits(self) -> int | None:
        """None: nothing is claimed."""
        return None

    @property
    def insecure(self) -> bool:
        """No: a file that says plain asks for no protection, so it breaks no promise."""
        return False

    def describe(self, *, threshold: int, fixed_point: FixedPoint, members: int) -> str:
        """Say that nothing is hidden."""
        bound = fixed_point.bound(members)
        return f"No cryptography: the manager sees every gradient. Sums reach {bound:,}, exact in integers."

    @property
    def element_bytes(self) -> int:
        """Bytes of a parameter's body at most; there is no hint and no share."""
        return 8

    @property
    def exponentiations(self) -> Exponentiations:
        """What a parameter costs."""
        return Exponentiations(encrypt=0, share=0, manager=0)


AnyScheme: TypeAlias = Annotated[ElGamalSettings | PlainSettings, Field(discriminator="type")]


def _count_problems(threshold: int, members: int) -> list[str]:
    # The threshold may exceed the members: openers need not be among them.
    counts = {"threshold": threshold, "largest active set": members}
    return [f"the {what} must be at least 1, not {count}" for what, count in counts.items() if count < 1]
