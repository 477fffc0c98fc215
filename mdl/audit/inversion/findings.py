"""An audit by inversion as a whole, and what it means in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.scores import RECOGNISABLE
from mdl.audit.inversion.seen import Role
from mdl.audit.inversion.study import GUESS, Attempt
from mdl.audit.inversion.verdict import Line, claims, lines, unjudged
from mdl.audit.page import Claim
from mdl.config import Experiment
from mdl.learning.dataset import Dataset
from mdl.systems import AnySystem, Decentralised, SecretShared

_ROLES: Final[Mapping[Role, str]] = {
    "server": "plain parameter server (fedavg), one worker's update",
    "manager": "manager",
    "worker": "a worker, of the others",
    "eavesdropper": "who reads one link",
    "coalition": "manager and m - 1 workers, of one more",
}


@dataclass(frozen=True, eq=False)
class Audit:
    """What came of all attacks.

    Attributes:
        experiment: what was attacked.
        dataset: its data set.
        where: the model's parameters at that moment, in words.
        attempts: on the yardstick and on the experiment's own roles.
        small: on the manager's sums of fewer workers, by their number.
        complete: False if it was stopped early.
    """

    experiment: Experiment
    dataset: Dataset
    where: str
    attempts: Sequence[Attempt]
    small: Mapping[int, Sequence[Attempt]]
    complete: bool

    @property
    def lines(self) -> Sequence[Line]:
        """By role and attack."""
        return lines(self.attempts)

    @property
    def claims(self) -> Sequence[Claim]:
        """What is claimed of this experiment, judged."""
        return claims(self.experiment, self.attempts)

    @property
    def refuted(self) -> bool:
        """Whether a claim does not hold."""
        return any(not claim.holds for claim in self.claims)


def titles(system: AnySystem) -> Mapping[Role, str]:
    """Say how roles are called in tables."""
    match system:
        case SecretShared():
            return {**_ROLES, "coalition": "manager and a group but one member, of that one"}
        case Decentralised():
            of_one = "a node and its neighbours but one, of that one"
            return {**_ROLES, "worker": "a node, of its neighbours", "coalition": of_one}
        case _:
            return _ROLES


def explained(audit: Audit) -> Sequence[str]:
    """Say what was and what was not protected, a paragraph each."""
    found = audit.lines
    said = [_server(found), _one_image(found), *_all_images(audit), _mixed(audit)]
    said += [*_coalition(found), *_link(found)]
    return [paragraph for paragraph in [*said, _noise(audit.experiment), *_judged(audit)] if paragraph]


def _of(found: Sequence[Line], *roles: Role, models_all: bool) -> list[Line]:
    return [
        line
        for line in found
        if line.role in roles
        and line.views
        and line.attack != GUESS
        and ATTACKS[line.attack].models_all == models_all
    ]


def _server(found: Sequence[Line]) -> str:
    seen = [line for line in found if line.role == "server" and line.views and line.attack != GUESS]
    if not seen:
        return ""
    best = max(seen, key=lambda line: (line.recognised, line.median))
    return (
        f"In the clear: of {best.images} images whose gradients a plain parameter server sees, "
        f"{best.recognised} were recovered by {best.attack} so that one sees what they show (above "
        f"{RECOGNISABLE:g} dB; median {best.median:.1f} dB)."
    )


def _one_image(found: Sequence[Line]) -> str:
    seen = _of(found, "manager", "worker", models_all=False)
    if not seen:
        return ""
    guesses = [line.median for line in found if line.attack == GUESS and line.role in ("manager", "worker")]
    most = max(seen, key=lambda line: line.median)
    closest = max(line.best for line in seen)
    return (
        "Whose image: attacks that take what the manager or a worker sees for the gradient of one image come "
        f"as close as {most.median:.1f} dB to a given victim's (median over victims, of the best attack). "
        f"The mean of the test images, which is no attack, has {max(guesses):.1f} dB. The closest to "
        f"anybody's image was {closest:.1f} dB."
    )


def _all_images(audit: Audit) -> list[str]:
    seen = _of(audit.lines, "manager", "worker", models_all=True)
    if not seen:
        return []
    most = max(seen, key=lambda line: (line.recognised / line.images, line.median))
    who = "the manager" if most.role == "manager" else "a worker"
    told = (
        f"What the images show: an attacker who looks for all images in what {who} sees recovered "
        f"{most.recognised} of {most.images} above {RECOGNISABLE:g} dB, by {most.attack}."
    )
    if most.recognised:
        told += (
            " NOT PROTECTED: a sum hides whose an image is, not what it shows. Nothing cryptographic helps "
            "against this; larger batches, more local steps and noise do."
        )
    small = [
        f"{_most(attempts)} of {workers} from the sum of {workers}"
        for workers, attempts in audit.small.items()
    ]
    return [told, f"Small sums, for comparison: {', '.join(small)}."] if small else [told]


def _mixed(audit: Audit) -> str:
    if not any(attempt.seen.mixed for attempt in audit.attempts):
        return ""
    return (
        "Here sets differ from parameter to parameter, and these attacks make no use of who is in which. One "
        "that does would come closer. What they fail to recover from such sums is not shown to be safe."
    )


def _most(attempts: Sequence[Attempt]) -> int:
    return max((line.recognised for line in lines(attempts)), default=0)


def _coalition(found: Sequence[Line]) -> list[str]:
    seen = _of(found, "coalition", models_all=False)
    if not seen:
        return []
    best = max(seen, key=lambda line: line.best)
    return [
        "Collusion: those who collude subtract what they know. Where they are all of a sum but one, what "
        "remains is that one's contribution, and no protocol that opens sums helps. Here the best attack on "
        f"what they have of one worker comes to {best.best:.1f} dB."
    ]


def _link(found: Sequence[Line]) -> list[str]:
    seen = _of(found, "eavesdropper", models_all=False)
    if not seen:
        return []
    return [
        "On one worker's link: the upload, read as numbers, gives "
        f"{max(line.best for line in seen):.1f} dB at best. (Links are not encrypted: who reads all of them "
        "sees what the manager sees, where there is one.)"
    ]


def _noise(experiment: Experiment) -> str:
    noise: Any = getattr(experiment.system, "privacy", None)
    if noise is None or noise.type == "none":
        return "No noise is added in this experiment ([system.privacy])."
    return (
        f"Noise: system.privacy is {noise.type}. The plain server's view is without it, all others have it. "
        "Who knows a part of the noise, as its own, has taken that off."
    )


def _judged(audit: Audit) -> list[str]:
    if why := unjudged(audit.experiment):
        return [f"No claim is judged: {why}."]
    return [
        f"{'HOLDS' if claim.holds else 'DOES NOT HOLD'}: {claim.text} ({claim.figures})."
        for claim in audit.claims
    ]
