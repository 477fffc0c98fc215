"""Figures by role and attack, and what they say about the claims."""

from collections.abc import Sequence

import numpy as np
import pytest

from mdl.audit.inversion.seen import Role, Seen
from mdl.audit.inversion.study import GUESS, Attempt
from mdl.audit.inversion.target import Recovered
from mdl.audit.inversion.verdict import claims, lines, unjudged
from tests.audit.inversion.digits import experiment

NOTHING = np.zeros(1)
JUDGED = ("system.visibility=1.0",)


def _attempt(role: Role, attack: str, decibels: Sequence[float], *, labels: int | None = None) -> Attempt:
    seen = Seen(role, "a view", 1, NOTHING, NOTHING, NOTHING > 0, (1,), np.arange(len(decibels)))
    recovered = Recovered(np.zeros((1, 1, 2, 2), np.float32), None if labels is None else (0,))
    return Attempt(attack, seen, recovered, (), np.array(decibels), labels)


def test_attempts_on_all_views_of_a_role_make_one_line() -> None:
    attempts = [_attempt("server", "idlg", [db], labels=right) for db, right in ((30, 1), (10, 0), (25, 1))]
    (line,) = lines(attempts)
    assert (line.views, line.images, line.median, line.best, line.recognised) == (3, 3, 25, 30, 2)
    assert line.labels == (2, 3)


def test_images_that_nothing_was_left_for_do_not_count_towards_the_median() -> None:
    (line,) = lines([_attempt("manager", "rows", [40, 20, float("nan")])])
    assert (line.images, line.median, line.recognised) == (3, 30, 1)


def test_an_attack_that_was_never_mounted_says_why() -> None:
    never = _attempt("manager", "joint", [1])
    never = Attempt("joint", never.seen, None, reason="64 images")
    (line,) = lines([never])
    assert (line.views, line.reason) == (0, "64 images")


def test_what_works_in_the_clear_must_not_work_on_ours() -> None:
    attempts = [
        _attempt("server", "idlg", [120]),
        _attempt("manager", "idlg", [9, 10, 18]),
        _attempt("worker", "idlg", [16, 17, 18]),
    ]
    works, manager, worker = claims(experiment(*JUDGED), attempts)
    assert works.holds
    assert manager.holds
    assert "the closest of all 18.0 dB" in manager.figures
    assert not worker.holds


def test_what_fails_in_the_clear_says_nothing() -> None:
    attempts = [_attempt("server", "idlg", [12]), _attempt("manager", "idlg", [3])]
    (works,) = claims(experiment(*JUDGED), attempts)
    assert not works.holds


def test_neither_guesses_nor_attacks_on_all_images_are_judged() -> None:
    attempts = [
        _attempt("server", "idlg", [120]),
        _attempt("manager", GUESS, [99]),
        _attempt("manager", "rows", [99]),
    ]
    assert len(claims(experiment(*JUDGED), attempts)) == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((), "at least 8"),
        (("system.type=fedavg",), "nothing hides"),
        (("system.visibility=1.0", "system.scheme.type=plain"), "nothing hides"),
        (JUDGED, ""),
        (("system.type=secret-shared",), ""),
        (("system.type=secret-shared", "system.group=5"), "at least 8"),
        (("system.type=secret-shared", "system.mode=plain"), "nothing hides"),
        (("system.type=decentralised",), "at least 8 (here of 3)"),
        (("system.type=decentralised", "system.graph.type=complete"), ""),
        (("system.type=decentralised", "system.graph.type=group"), ""),
        (("system.type=decentralised", "system.mode=plain"), "nothing hides"),
    ],
)
def test_claims_are_made_for_large_sums_of_hidden_gradients(overrides: tuple[str, ...], said: str) -> None:
    assert said in unjudged(experiment(*overrides))
    assert bool(unjudged(experiment(*overrides))) == bool(said)


def test_claims_are_made_for_one_step_on_one_image() -> None:
    one = experiment(*JUDGED)
    several = one.model_copy(update={"learning": one.learning.model_copy(update={"batch": 8})})
    assert "batch = 1" in unjudged(several)
    assert claims(several, [_attempt("server", "idlg", [120])]) == []
