"""The table of masks that cancel."""

from typing import Literal

from mdl.schemes.pairwise import Pairwise, capacity_problems
from mdl.schemes.settings.base import Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption


class PairwiseSettings(SchemeSettings):
    """Masks that cancel over a set known before (`mdl.schemes.pairwise`): fastest, if nobody drops out."""

    type: Literal["pairwise"] = "pairwise"

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`. Nobody opens; `wanted.threshold` is the size of the smallest set."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return Pairwise(
            block=wanted.block,
            members_least=wanted.threshold,
            fixed_point=wanted.fixed_point,
            members_limit=wanted.members,
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        return wanted.problems() or capacity_problems(wanted.fixed_point, wanted.threshold, wanted.members)

    @property
    def members_first(self) -> bool:
        """Yes: masks cancel over a set that must be known."""
        return True

    @property
    def security_bits(self) -> int:
        """AES-128's and X25519's."""
        return 128

    @property
    def heavy(self) -> bool:
        """No: a few nanoseconds a parameter."""
        return False

    def describe(self, wanted: Requirements) -> str:
        """See `SchemeSettings`."""
        bound = wanted.fixed_point.bound(wanted.members)
        return (
            "Masks between every two members that cancel in the sum, from AES-128 under keys by X25519 (128 "
            f"bits of security, not post-quantum): at least {wanted.threshold} members, known before they "
            f"encrypt, of whom each must deliver. Sums reach {bound:,}, exact in integers."
        )
