"""Everything put together: all attacks on one experiment, and all coalitions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mdl.audit import coalitions
from mdl.audit.coalitions import Held, Tally
from mdl.audit.deviations import System
from mdl.audit.findings import Finding, findings, is_printed
from mdl.audit.fitting import fitting
from mdl.errors import ConfigError
from mdl.systems import AnySystem, coordinated, dynamic

WORKERS_JUDGED: Final = 8
"""Every coalition of so many workers is judged; in larger experiments, of so many instead."""


@dataclass(frozen=True)
class Judged:
    """All coalitions against one protocol.

    Attributes:
        protocol: its name.
        sets: sizes of the active sets, in words.
        tally: how many coalitions reach what they must not.
        ours: whether it is what the experiment runs.
    """

    protocol: str
    sets: str
    tally: Tally
    ours: bool = False


@dataclass(frozen=True)
class Audit:
    """What came of all attacks.

    Attributes:
        system: what was attacked.
        workers: n.
        threshold: m.
        findings: attacks that were mounted.
        judged: what no attack of their kind can do.
        judged_of: n and m of the exhaustive part.
    """

    system: System
    workers: int
    threshold: int
    findings: Sequence[Finding]
    judged: Sequence[Judged]
    judged_of: tuple[int, int]

    @property
    def broken_claims(self) -> list[str]:
        """What docs/security.md claims of the experiment and does not hold; none where it claims nothing."""
        if is_printed(self.system):
            return []
        attacks = [f"{found.attack}: {found.ours.said}" for found in self.findings if found.fails_claim]
        algebra = [
            f"{judged.protocol}, sets of {judged.sets}: {judged.tally.harmful} coalitions"
            for judged in self.judged
            if judged.ours and judged.tally.harmful
        ]
        return attacks + algebra


def attackable(system: AnySystem) -> System:
    """Give a system back if it is one of ∝MDL's.

    Raises:
        ConfigError: it is not; the text says what to use.
    """
    if not isinstance(system, coordinated.Coordinated | dynamic.Dynamic):
        raise ConfigError(
            [
                "system.type: mdl audit collusion attacks ∝MDL ('coordinated' and 'dynamic'). Of "
                f"{system.type!r}: {fitting(system)}"
            ]
        )
    return system


def audit(system: System, workers: int) -> Audit:
    """Mount all attacks on a system with n = `workers`, and judge all coalitions.

    Raises:
        ConfigError: there is nothing to attack.
    """
    m = system.visibility_threshold(workers)
    small = (workers, m) if workers <= WORKERS_JUDGED else (WORKERS_JUDGED, _scaled(m, workers))
    return Audit(system, workers, m, list(findings(system, workers)), list(judge(system, *small)), small)


def judge(system: System, workers: int, threshold: int) -> Iterator[Judged]:
    """Judge all coalitions against the printed protocols and ours; the experiment's are marked."""
    n, m = workers, threshold
    on_arrival, in_dynamic = is_printed(system), isinstance(system, dynamic.Dynamic)

    def judged(protocol: str, sets: str, held: Held, *, ours: bool = False) -> Judged:
        return Judged(protocol, sets, coalitions.tally(held, n), ours)

    for size in range(m - 1, min(m + 2, n + 1)):
        yield judged(
            "∝MDL^d as printed",
            f"{size}, not closed" if size > m else f"{size}",
            coalitions.printed_on_arrival(size, m),
            ours=on_arrival and size <= m,
        )
    yield judged("∝MDL^c as printed", f"{m}", coalitions.printed_coordinated(m, m))
    for size in sorted({m - 1, m, n}):
        yield judged(
            "coordinated",
            f"{size}",
            coalitions.closed_sets(size, n, m),
            ours=not in_dynamic,
        )
    yield judged(
        "dynamic",
        f"{m} and {m}, {min(m, n - m)} late",
        coalitions.two_versions(min(m, n - m), n, m),
        ours=in_dynamic and not on_arrival,
    )


def _scaled(m: int, workers: int) -> int:
    return max(2, round(m * WORKERS_JUDGED / workers))
