"""What a run of SSDDL will do, in words."""

from collections.abc import Sequence
from typing import Final

from mdl.schemes.vector_sharing import ENTRY_BYTES
from mdl.system import Traits
from mdl.systems.secret_shared.settings import SecretSharedSettings

_HIDES: Final = {
    "prng": "Each pair of members has a secret, agreed on by signed X25519. Masks drawn from it cancel in "
    "the sum over the whole group. The secrets move on after every epoch: a machine that is seized gives "
    "away no earlier mask. It rests on AES-128, SHA-256 and X25519 (not against quantum computers).",
    "additive": "Each member splits its update into g shares, one for each member. All g sums of shares open "
    "the sum of the updates; g - 1 of them are (pseudo-)random, whatever the updates are.",
    "shamir": "Each member shares its update with all, by polynomials of degree τ - 1 = {degree} over Z_p, "
    "p = 2^31 - 1. Any τ = {threshold} members open the sum; fewer hold nothing but random numbers.",
    "plain": "Nothing is hidden: the server sees every update.",
}

_LOST: Final = {
    "prng": "If a member is lost, the epoch is missed: nothing is added to the model.",
    "additive": "If a member is lost, the epoch is missed: nothing is added to the model.",
    "shamir": "Up to {spare} members may be lost in an epoch, and it is not missed.",
    "plain": "If a member is lost, the epoch is missed: nothing is added to the model.",
}

_TOGETHER: Final = {
    "prng": "server with all members but one: that one's update",
    "additive": "server with all members but one: that one's update",
    "shamir": "any {threshold} members: the updates shared with them",
}


def explain(system: SecretSharedSettings, *, workers: int, parameters: int) -> Sequence[str]:
    """See `System`."""
    size, threshold, least = system.size(workers), system.openers(workers), system.minimum_group
    words = {"threshold": threshold, "degree": threshold - 1, "spare": size - threshold}
    up = ENTRY_BYTES * parameters
    among = size * (size - 1) * up if system.shares else 0
    total = 2 * size * up + among
    return [
        f"A group of g = {size} of {workers} workers trains in an epoch. Which follows from a seed that "
        "nobody chose, and all workers check it.",
        _HIDES[system.mode].format(**words),
        f"The server learns the sum of the updates of at least {least} workers; together with some of them, "
        f"the sum of the others'. While at most {least - 2} collude with it, no epoch shows it a single "
        "worker's update. "
        "Workers learn the global model."
        if system.mode != "plain"
        else "Workers learn the global model.",
        _LOST[system.mode].format(**words),
        f"{total / 1e6:.1f} MB an epoch over all links: {ENTRY_BYTES} bytes a parameter down and up for each "
        f"member{f', and {among / 1e6:.1f} MB between members' if among else ''}.",
        f"Entries of updates are multiples of 2^-{system.fraction_bits} within ±{system.range:g}; sums are "
        "exact.",
    ]


def traits(system: SecretSharedSettings, *, workers: int) -> Traits:
    """See `System`."""
    size, threshold, least = system.size(workers), system.openers(workers), system.minimum_group
    hidden = f"server: each epoch the sum of its group's updates, {least} or more"
    learns = (
        "server: every worker's update; workers: the global model"
        if system.mode == "plain"
        else f"{hidden}; workers: the global model; {_TOGETHER[system.mode].format(threshold=threshold)}"
    )
    lost = "that epoch is missed"
    if system.mode == "shamir":
        lost = f"up to {size - threshold} in an epoch are made up for"
    return Traits(learns, f"{lost}; the run goes on while there can be groups of {least}")
