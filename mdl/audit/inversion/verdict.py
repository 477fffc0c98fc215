"""What the attacks found, role by role, and the claims that it bears on."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.scores import RECOGNISABLE
from mdl.audit.inversion.seen import Role
from mdl.audit.inversion.study import Attempt
from mdl.audit.page import Claim
from mdl.config import Experiment
from mdl.systems import Decentralised, SecretShared, coordinated, dynamic

LEGIBLE: Final = 25.0
"""Decibels that an attack must reach on a plain server's view for its failure elsewhere to say anything."""

HIDDEN: Final = 15.0
"""Decibels below which an image tells no more than one that knows nothing."""

JUDGED_FROM: Final = 8
"""Workers in an aggregate from which on the claims are judged."""


@dataclass(frozen=True)
class Line:
    """One attack on all views of a role.

    Attributes:
        role: who saw.
        attack: its name, or `GUESS`.
        views: on how many views it was mounted.
        images: in all of them together.
        median: PSNR over all true images, decibels; NaN where it was not mounted.
        best: PSNR of the closest, decibels; NaN where it was not mounted.
        recognised: true images that came out above `RECOGNISABLE`.
        labels: how many labels are right, and how many were told.
        reason: why it was not mounted on any view, else empty.
    """

    role: Role
    attack: str
    views: int
    images: int
    median: float
    best: float
    recognised: int
    labels: tuple[int, int]
    reason: str = ""


def lines(attempts: Sequence[Attempt]) -> Sequence[Line]:
    """Sum up attempts by role and attack, in the order in which they came."""
    keys = dict.fromkeys((attempt.seen.role, attempt.attack) for attempt in attempts)
    return [_line([a for a in attempts if (a.seen.role, a.attack) == key]) for key in keys]


def _line(attempts: Sequence[Attempt]) -> Line:
    role, attack = attempts[0].seen.role, attempts[0].attack
    mounted = [attempt for attempt in attempts if attempt.recovered is not None]
    if not mounted:
        return Line(role, attack, 0, 0, math.nan, math.nan, 0, (0, 0), attempts[0].reason)
    decibels = np.concatenate([attempt.decibels for attempt in mounted])
    told = [attempt for attempt in mounted if attempt.labels_right is not None]
    return Line(
        role,
        attack,
        views=len(mounted),
        images=len(decibels),
        median=float(np.nanmedian(decibels)),
        best=float(np.nanmax(decibels)),
        recognised=int((decibels > RECOGNISABLE).sum()),
        labels=(sum(a.labels_right or 0 for a in told), sum(_labels(a) for a in told)),
    )


def _labels(attempt: Attempt) -> int:
    assert attempt.recovered is not None
    return len(attempt.recovered.labels or ())


def unjudged(experiment: Experiment) -> str:
    """Say why claims are not judged for this experiment; empty where they are."""
    least, learning = _least_hidden(experiment), experiment.learning
    if least is None:
        return "nothing hides gradients here, so nothing is claimed"
    if learning.batch != 1 or learning.local_steps != 1:
        return "claims are made for one step on one image (batch = 1, local_steps = 1)"
    if least < JUDGED_FROM:
        return f"claims are made for sums of at least {JUDGED_FROM} (here of {least})"
    return ""


def _least_hidden(experiment: Experiment) -> int | None:
    """Say how many workers are in a sum at least; None where single ones are seen."""
    workers = experiment.workers
    match experiment.system:
        case coordinated.Coordinated() | dynamic.Dynamic() as system if system.scheme.type != "plain":
            return system.visibility_threshold(workers)
        case SecretShared() as system if system.mode != "plain":
            return system.size(workers)
        case Decentralised() as system if system.mode != "plain":
            return min(len(hood.members) for hood in system.neighbourhoods(workers).values())
        case _:
            return None


def claims(experiment: Experiment, attempts: Sequence[Attempt]) -> Sequence[Claim]:
    """Judge what is claimed of this experiment; nothing where nothing is claimed, or nothing was found.

    An attack that takes a gradient for that of one image must work on what a plain server sees, and must not
    on what the manager and a worker of the experiment see. Where it does not work on the former, its failure
    on the latter shows nothing, and is not judged.
    """
    if unjudged(experiment):
        return []
    found = {(line.role, line.attack): line for line in lines(attempts) if line.views}
    singles = [name for name, attack in ATTACKS.items() if not attack.models_all]
    servers = [found["server", name] for name in singles if ("server", name) in found]
    working = [line for line in servers if line.median > LEGIBLE]
    judged = [_works(servers)] if servers else []
    for line in working:
        for role in ("manager", "worker"):
            judged += [_fails(seen)] if (seen := found.get((role, line.attack))) else []
    return judged


def _works(servers: Iterable[Line]) -> Claim:
    best = max(servers, key=lambda line: line.median)
    return Claim(
        f"a plain parameter server's view gives images away, above {LEGIBLE:g} dB",
        best.median > LEGIBLE,
        f"{best.attack}: median {best.median:.1f} dB over {best.images} victims",
    )


def _fails(line: Line) -> Claim:
    who = "the manager's" if line.role == "manager" else "a worker's"
    return Claim(
        f"{line.attack}, one image modelled, on {who} view stays below {HIDDEN:g} dB "
        "against a given victim's image",
        line.median < HIDDEN,
        f"median {line.median:.1f} dB over {line.images} victims; the closest of all {line.best:.1f} dB",
    )
