"""The table of the plain oracle."""

from typing import Literal

from mdl.schemes.fixed_point import what_fits
from mdl.schemes.plain import Plain
from mdl.schemes.settings.base import Requirements, SchemeSettings
from mdl.schemes.threshold import ThresholdEncryption


class PlainSettings(SchemeSettings):
    """No cryptography (`mdl.schemes.plain`): the oracle that the private schemes must equal."""

    type: Literal["plain"] = "plain"

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`. No threshold is needed to open what is open."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return Plain(
            block=wanted.block,
            bound=wanted.fixed_point.bound(wanted.members),
            members_limit=wanted.members,
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        problems = wanted.problems()
        if (bound := wanted.fixed_point.bound(wanted.members)) >= Plain.BOUND_LIMIT:
            largest = Plain.BOUND_LIMIT - 1
            fits = what_fits(wanted.fixed_point, wanted.members, largest)
            problems.append(f"sums reach {bound:,}, beyond {largest:,}: {fits}")
        return problems

    @property
    def security_bits(self) -> int | None:
        """None: a file that says plain asks for no protection, so it breaks no promise."""
        return None

    @property
    def heavy(self) -> bool:
        """No."""
        return False

    def describe(self, wanted: Requirements) -> str:
        """Say that nothing is hidden."""
        bound = wanted.fixed_point.bound(wanted.members)
        return f"No cryptography: the manager sees every gradient. Sums reach {bound:,}, exact in integers."
