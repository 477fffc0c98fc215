"""What sets the variants of ∝MDL apart from other systems, a line each."""

from typing import Final

from mdl.system import Traits
from mdl.systems.visibility import VisibilitySettings

_DOWNLOADED: Final = {
    "contribution": "the model's values in blocks they contributed to",
    "all": "every new value of the model, hence the sums",
    "quota": "the model's values in blocks that are updated most often",
    "stale-first": "the model's values in blocks they have missed for longest",
}
"""What workers learn, by ∝MDL^d's type of download."""


def traits_coordinated(system: VisibilitySettings, workers: int) -> Traits:
    """See `System`."""
    m = system.visibility_threshold(workers)
    lost = "its blocks are" if system.scheme.members_first else f"blocks left with fewer than {m} workers are"
    return Traits(
        learns=_learns(system, workers, "at least", _DOWNLOADED["contribution"]),
        loss=f"{lost} missed in that epoch; the run goes on while {_needed(system, workers)} workers remain",
    )


def traits_dynamic(system: VisibilitySettings, workers: int, *, printed: bool, download: str) -> Traits:
    """See `System`."""
    learns = _learns(system, workers, "exactly", _DOWNLOADED[download])
    if system.selection == "magnitude":
        learns += "; everybody: in which blocks each gradient is large"
    if printed:
        learns = "leaks: the manager, with one worker outside a set, reads a single gradient in it"
    return Traits(
        learns=learns,
        loss=f"nobody waits; the run goes on while {_needed(system, workers)} workers remain",
    )


def _learns(system: VisibilitySettings, workers: int, many: str, values: str) -> str:
    what = "noisy gradient" if system.noise else "gradient"
    if system.scheme.type == "plain":
        return f"manager: every worker's {what}; workers: {values}"
    m = system.visibility_threshold(workers)
    coalition = (
        f"all members of a set but one with the manager: that one's {what}"
        if system.scheme.members_first
        else f"any {system.openers(workers)} workers with the manager: every {what}"
    )
    return f"manager: of each block the sum of {many} {m} {what}s; workers: {values}; {coalition}"


def _needed(system: VisibilitySettings, workers: int) -> int:
    return max(system.visibility_threshold(workers), system.openers(workers))
