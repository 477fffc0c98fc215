"""What the figures of answers mean, in words."""

from collections.abc import Sequence
from typing import Final

from mdl.audit.membership.scores import FEW_FALSE
from mdl.audit.opinions.study import Apart, Audit
from mdl.mpc.blind.telling import Answers
from mdl.report import units

CALLED: Final[dict[Answers, str]] = {
    "scores": "scores",
    "rounded": "rounded scores",
    "labels": "best classes",
}


def explained(audit: Audit) -> Sequence[str]:
    """Say what it means, a paragraph each."""
    return [_set_up(audit), *_members(audit), *_copied(audit), *_limit(audit), _limits()]


def _set_up(audit: Audit) -> str:
    case = audit.case
    noise = f", with noise of deviation {case.system.noise:g}" if case.system.noise else ""
    return (
        f"Worker {case.asker} attacks with the answers of worker {case.owner}'s network, and nothing else of "
        f"it. This experiment tells {CALLED[case.system.answers]}{noise}; the other kinds are shown beside "
        "it. Answers are computed in the clear and rounded as the protocol rounds them, which gives the same "
        "but for the last digits; the networks come of the real protocol."
    )


def _members(audit: Audit) -> list[str]:
    found = [each for each in audit.apart if each.answers == audit.case.system.answers]
    if len(found) != len({each.finding.model for each in audit.apart}) or len(found) < 2:
        return []
    alone, taught = found
    return [
        f"Who was trained on: {_score(alone)} where worker {audit.case.owner} trains alone, {_score(taught)} "
        "after the two have taught each other. An AUC of 0.5 tells nothing."
    ]


def _score(each: Apart) -> str:
    found = each.finding.score
    return f"AUC {found.auc}, {found.found.value:.1%} found at {FEW_FALSE:.0%} false positives"


def _copied(audit: Audit) -> list[str]:
    copies = audit.copies(audit.case.system.answers)
    if not copies:
        return []
    target, own, *_ = audit.likenesses
    best = copies[-1]
    return [
        f"A copy: a student of the same architecture, from the same first parameters, that learns "
        f"{best.questions:,} answers and no label, says what worker {audit.case.owner}'s network says on "
        f"{units.percent(best.agreement, 1)} of the test images, and is right on "
        f"{units.percent(best.accuracy, 1)} (the network itself: {units.percent(target.accuracy, 1)}). What "
        f"worker {audit.case.asker} trains alone agrees on {units.percent(own.agreement, 1)}."
    ]


def _limit(audit: Audit) -> list[str]:
    limit, refresh = audit.case.system.answers_limit, audit.case.system.refresh
    if limit is None:
        return [
            "No limit is set on answers (system.answers_limit): in a run worker "
            f"{audit.case.asker} asks about {units.percent(refresh, 0)} of its images in each epoch but the "
            "first, of networks that are not finished yet; whoever deviates asks about what it wants."
        ]
    return [f"This experiment's owners answer {limit:,} questions at most: what takes more cannot be done."]


def _limits() -> str:
    return (
        "These are the simplest attacks: a threshold on the loss, and a student. Stronger ones exist (shadow "
        "models, LiRA; questions made for the purpose), so a low figure is no proof of privacy."
    )
