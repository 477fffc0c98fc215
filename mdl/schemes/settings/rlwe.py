"""The table of Ring-LWE masks."""

from typing import Final, Literal

from mdl.schemes.rlwe import TERMS_LIMIT, KeySharingName, Rlwe, capacity_problems, explain_capacity, ring
from mdl.schemes.rlwe.hardness import standard_bits
from mdl.schemes.settings.base import Requirements, SchemeSettings
from mdl.schemes.subset_keys import KEYS_LIMIT, key_count
from mdl.schemes.threshold import ThresholdEncryption

SMALLEST_BLOCK: Final = 256
"""Parameters in a block, at least: opening one costs 4 KiB from each opener, whatever its size."""
PREFERRED_KEYS: Final = 128
"""So many keys a worker, at most, unless more are asked for: an opener needs about 1 ms for a block then."""
SYMMETRIC_BITS: Final = 128
"""Security of AES-128, which keys and errors are drawn and shared with."""


class RlweSettings(SchemeSettings):
    """Ring-LWE masks (`mdl.schemes.rlwe`).

    Attributes:
        keys: how short keys are shared: pseudo-randomly (``"prss"``), which costs no message but needs keys
            of all sets of m - 1 workers, or sealed to each worker (``"shamir"``). ``"auto"`` takes the first
            where a worker needs no more than 128 such keys, and fewer than all workers open.
    """

    type: Literal["rlwe"] = "rlwe"
    keys: Literal["auto", "prss", "shamir"] = "auto"

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`."""
        if problems := self.problems(wanted):
            raise ValueError("; ".join(problems))
        return Rlwe(
            block=wanted.block,
            threshold=wanted.threshold,
            workers=wanted.workers,
            fixed_point=wanted.fixed_point,
            members_limit=wanted.members,
            keys=self._sharing(wanted),
        )

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        if problems := wanted.problems():
            return problems
        if wanted.block < SMALLEST_BLOCK:
            problems.append(
                f"a block of {wanted.block} costs as much to open as one of any size: use blocks of "
                f"{SMALLEST_BLOCK} or more: 16384, or the whole model in one; or "
                'scheme.type = "prss" for a set per parameter'
            )
        if self.keys == "prss" and wanted.workers <= wanted.threshold:
            problems.append(
                f"with all of {wanted.workers} workers needed to open, an opener's share would tell its own "
                'key: use scheme.keys = "shamir"'
            )
        terms = key_count(wanted.workers, wanted.threshold)
        if self.keys == "prss" and (terms > KEYS_LIMIT or terms * wanted.members > TERMS_LIMIT):
            problems.append(
                f"{wanted.workers} workers with a threshold of {wanted.threshold} need "
                f"{terms:,} keys each, more than {min(KEYS_LIMIT, TERMS_LIMIT // wanted.members):,}: use "
                'scheme.keys = "shamir"'
            )
        return problems + capacity_problems(wanted.fixed_point, wanted.members)

    @property
    def security_bits(self) -> int:
        """Security level of Ring-LWE by the standard, and no more than that of AES."""
        return min(SYMMETRIC_BITS, standard_bits(ring.DEGREE, ring.MODULUS_BITS))

    @property
    def heavy(self) -> bool:
        """No: transforms and AES, a few nanoseconds a parameter."""
        return False

    def describe(self, wanted: Requirements) -> str:
        """See `SchemeSettings`."""
        if self._sharing(wanted) == "prss":
            count = key_count(wanted.workers, wanted.threshold)
            shared = f"{count:,} keys a worker share them pseudo-randomly, without a message"
        else:
            shared = f"each block's key is sealed to all {wanted.workers} workers in shares of 4 KiB"
        fit = explain_capacity(wanted.fixed_point, wanted.members)
        return (
            f"Ring-LWE masks with a key per block (degree {ring.DEGREE}, modulus 2^{ring.MODULUS_BITS}, more "
            f"than {self.security_bits} bits of security, no quantum attack known), opened by any "
            f"{wanted.threshold} workers: {shared}. Each parameter has {fit}, exact in integers."
        )

    def _sharing(self, wanted: Requirements) -> KeySharingName:
        if self.keys != "auto":
            return self.keys
        few = key_count(wanted.workers, wanted.threshold) <= PREFERRED_KEYS
        return "prss" if few and wanted.workers > wanted.threshold else "shamir"
