"""Security models: who may do what before secrets are told or results falsified. Free of torch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

SecurityName: TypeAlias = Literal["rep3", "rep3-malicious", "rep4", "dealer", "spdz2k", "shamir"]


@dataclass(frozen=True)
class Security:
    """What an engine's security rests on.

    Attributes:
        title: its usual name.
        holders: how many parties may share the secrets.
        colluding: who learns everything if they put together what they have; see `together`.
        deviating: what a party that does not follow the protocol can do.
        numbers: what they are modulo.
        dealer: whether one more party, which has no share, hands out randomness.
    """

    title: str
    holders: Collection[int]
    colluding: str
    deviating: str
    numbers: str = "modulo 2^64"
    dealer: bool = False

    def together(self, workers: int) -> str:
        """Say who of so many learns everything."""
        return self.colluding.format(majority=(workers - 1) // 2 + 1)


FALSIFIES: Final = "can falsify the result unnoticed"
IS_NOTICED: Final = "is noticed before anything is opened, and the run ends"

SECURITY: Final[Mapping[SecurityName, Security]] = {
    "rep3": Security(
        "replicated sharing, semi-honest, honest majority",
        (3,),
        "any two together",
        FALSIFIES,
        numbers="modulo 2^63",
    ),
    "rep3-malicious": Security(
        "replicated sharing with post-sacrifice, malicious, one of three",
        (3,),
        "any two together",
        f"{IS_NOTICED}, if it is the only one, but for a probability of 2^-40",
    ),
    "rep4": Security(
        "replicated sharing, malicious, one of four",
        (4,),
        "any two together",
        f"{IS_NOTICED}, if it is the only one",
    ),
    "dealer": Security(
        "additive sharing with a dealer, semi-honest, dishonest majority",
        range(2, 11),
        "all holders together, or one with the dealer",
        FALSIFIES,
        dealer=True,
    ),
    "spdz2k": Security(
        "additive sharing with MACs and a dealer, malicious, dishonest majority",
        range(2, 11),
        "all holders together, or one with the dealer",
        f"{IS_NOTICED}, but for a probability of 2^-34",
        numbers="modulo 2^104",
        dealer=True,
    ),
    "shamir": Security(
        "Shamir's sharing, semi-honest, honest majority",
        range(3, 11),
        "any {majority} together",
        FALSIFIES,
        numbers="modulo the prime 2^127 - 1",
    ),
}
"""What there is to choose from, by its name in the experiment file."""


def counts(holders: Collection[int]) -> str:
    """Write down how many holders there may be."""
    first, last = min(holders), max(holders)
    if len(holders) > 2 and len(holders) == last - first + 1:
        return f"{first} to {last}"
    return " or ".join(str(count) for count in sorted(holders))
