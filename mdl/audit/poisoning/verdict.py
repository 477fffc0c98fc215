"""What the figures of a poisoned peer mean, in words."""

from collections.abc import Sequence

from mdl.audit.fitting import teaching
from mdl.audit.page import Claim
from mdl.audit.poisoning.study import AVERAGED, BARE, THRESHOLD, Audit, Way
from mdl.report import units


def claims(audit: Audit) -> Sequence[Claim]:
    """Judge what the gate is there for; nothing where the figures do not decide it."""
    if not (audit.held or audit.refuted):
        return []
    return [
        Claim(
            "With the gate a poisoned peer costs at most a point below training alone",
            audit.held,
            _worst(audit),
        )
    ]


def _worst(audit: Audit) -> str:
    assert audit.worst is not None
    rate, gain = audit.worst
    return (
        f"at worst {_gained(gain)} points, at {units.percent(rate, 0)} wrong labels; standard error at most "
        f"{100 * audit.error:.1f}"
    )


def explained(audit: Audit) -> Sequence[str]:
    """Say what it means, a paragraph each."""
    return [_set_up(audit), *_compared(audit), *_undecided(audit), _meaning()]


def _set_up(audit: Audit) -> str:
    case = audit.case
    threshold = teaching(case.experiment.system).least_right(case.dataset.classes)
    said = (
        f"Worker {case.poisoner} trains on examples of which a part has its label shifted by one class, "
        "follows the protocol otherwise, and answers with the network that comes of it. Scored is worker "
        f"{case.honest}'s model, on {case.tested:,} test examples. All runs are the real protocol, with its "
        "cryptography, on virtual links. Gate: it learns only from opinions that find the example's "
        "label as likely as a guess would (system.agreement)."
    )
    if threshold:
        said += (
            f" Threshold: it learns from no opinions in an epoch in which fewer than "
            f"{units.percent(threshold, 0)} are right (system.least_accuracy); so it does with the gate."
        )
    return said


def _compared(audit: Audit) -> list[str]:
    """Say what each way without a gate comes to at the highest rate."""
    rate = audit.case.rates[-1]
    told: list[str] = []
    words: dict[Way, str] = {
        BARE: "taught without gate",
        THRESHOLD: "with the threshold alone",
        AVERAGED: "federated averaging of the two",
    }
    for way, called in words.items():
        if way in audit.ways and (gain := audit.gain(way, rate)) is not None:
            told.append(f"{called} {_gained(gain)}")
    if not told:
        return []
    return [
        f"Against training alone, with {units.percent(rate, 0)} wrong labels: {'; '.join(told)} points. "
        "Averaging takes over the peer's parameters, and what is wrong with them; opinions can be left out."
    ]


def _undecided(audit: Audit) -> list[str]:
    """Say that the gate costs too much, but by no more than chance explains."""
    if audit.worst is None or audit.held or audit.refuted:
        return []
    return [
        "NOT DECIDED: with the gate a poisoned peer should cost at most a point below training alone. It did "
        f"not ({_worst(audit)}), by less than two standard errors: more seeds tell (--seeds)."
    ]


def _meaning() -> str:
    return (
        "The gate needs no other party: labels and opinions are both its owner's. It judges opinions one by "
        "one, by what they say of the label. A peer that says of labels what it should, and lies about the "
        "other classes, is not tried here."
    )


def _gained(gain: float) -> str:
    return f"{100 * gain:+.1f}".replace("-", "−")
