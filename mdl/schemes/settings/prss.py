"""The table of masks from pseudo-random secret sharing."""

from typing import Literal

from mdl.schemes.mersenne import PRIME
from mdl.schemes.prss import Prss, capacity_problem
from mdl.schemes.settings.base import Requirements, SchemeSettings
from mdl.schemes.subset_keys import KEYS_LIMIT, key_count
from mdl.schemes.threshold import ThresholdEncryption


class PrssSettings(SchemeSettings):
    """Masks from pseudo-random secret sharing (`mdl.schemes.prss`): a set for every parameter."""

    type: Literal["prss"] = "prss"

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return Prss(
            block=wanted.block,
            threshold=wanted.threshold,
            fixed_point=wanted.fixed_point,
            members_limit=wanted.members,
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        if problems := wanted.problems():
            return problems
        keys = key_count(wanted.workers, wanted.threshold)
        if keys > KEYS_LIMIT:
            problems.append(
                f"{keys:,} keys for each of {wanted.workers} workers, of whom {wanted.threshold} open, are "
                f'more than {KEYS_LIMIT:,}: use scheme.type = "rlwe" (and block = 16384), or "elgamal"'
                f"{_or_fewer(wanted)}"
            )
        if problem := capacity_problem(wanted.fixed_point, wanted.members):
            problems.append(problem)
        return problems

    @property
    def security_bits(self) -> int:
        """AES-128's."""
        return 128

    @property
    def heavy(self) -> bool:
        """No: a few nanoseconds a parameter and key."""
        return False

    def describe(self, wanted: Requirements) -> str:
        """See `SchemeSettings`."""
        keys = key_count(wanted.workers, wanted.threshold)
        sets = "every parameter has an active set of its own"
        if wanted.block > 1:
            sets = f"every {wanted.block:,} parameters have an active set"
        bound = wanted.fixed_point.bound(wanted.members)
        return (
            f"Masks from a pseudo-random function alone, AES-128 under {keys:,} keys a worker (128 bits of "
            f"security, post-quantum): {sets}, opened by any {wanted.threshold} "
            f"workers. Sums reach {bound:,}, of {PRIME // 2:,} that a mask has room for."
        )


def _or_fewer(wanted: Requirements) -> str:
    """Name the largest smaller threshold that keys allow; nothing where that protects nobody."""
    smaller = range(1, wanted.threshold)
    most = max(openers for openers in smaller if key_count(wanted.workers, openers) <= KEYS_LIMIT)
    # Of two members, each finds the other's gradient by subtraction.
    return f", or a system.threshold of at most {most} (here m = {wanted.threshold})" if most > 2 else ""
