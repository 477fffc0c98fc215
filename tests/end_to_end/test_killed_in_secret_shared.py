"""SSDDL with real processes: a worker, or the server, is killed at every step of the protocol.

A member sends each kind of message once an epoch, but for what goes to each of the five other members.
"""

from pathlib import Path
from typing import Final

import pytest

from mdl.folder import FileJournal
from mdl.party import MANAGER
from mdl.systems.secret_shared import SecretShared
from mdl.systems.secret_shared.messages import Declined
from mdl.systems.secret_shared.settings import Mode
from tests.end_to_end.mortal import Ended, Moment, Step, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

VICTIM, WORKERS, EPOCHS = 3, 6, 3
OTHERS = WORKERS - 1
ALL = {1, 2, 3, 4, 5, 6}


def at(step: Step, kind: str, count: int = 2) -> Moment:
    return Moment(VICTIM, step, kind, count)


AGREEING = [
    at("got", "Agree", 1),
    at("sends", "Announcement", 1),
    at("sent", "Announcement", 1),
    at("got", "Announcements", 1),
]
BEGINNING = [at("got", "Begin"), at("got", "Global")]
ENDING = [at("got", "Ended"), at("got", "Finish", 1)]
FIRST, LAST = OTHERS + 1, 2 * OTHERS
"""Of what goes to each other member, in the second epoch."""

NOT_DEALT = [
    *BEGINNING,
    at("sends", "Basis", FIRST),
    at("sent", "Basis", FIRST),
    at("sends", "Share", FIRST),
    at("sent", "Share", FIRST),
]
PERHAPS_DEALT = [at("got", "Basis", FIRST), at("got", "Share", FIRST)]
DEALT = [
    at("sent", "Share", LAST),
    at("sends", "Held"),
    at("sent", "Held"),
    at("got", "Open"),
    at("sends", "Upload"),
]
UPLOADED = [at("sent", "Upload"), *ENDING]

MISSED: dict[Mode, list[Moment]] = {
    "prng": [*BEGINNING, at("sends", "Upload")],
    "plain": [*BEGINNING, at("sends", "Upload")],
    "additive": [*NOT_DEALT, *PERHAPS_DEALT, *DEALT],
}
"""When a loss costs the epoch."""

NOT_MISSED: dict[Mode, list[Moment]] = {
    "prng": [*AGREEING, *UPLOADED],
    "plain": UPLOADED,
    "additive": UPLOADED,
    "shamir": [*NOT_DEALT, *PERHAPS_DEALT, *DEALT, *UPLOADED],
}

SERVER_SENDS: dict[Mode, list[Moment]] = {
    "prng": [
        Moment(MANAGER, "sends", kind)
        for kind in ("Agree", "Announcements", "Begin", "Global", "Ended", "Finish")
    ],
    "shamir": [Moment(MANAGER, "sends", "Open")],
}


LIKE_ANOTHER: Final = ("plain", "additive")
"""Modes whose steps are those of another one."""


def cases(of: dict[Mode, list[Moment]]) -> pytest.MarkDecorator:
    """Parametrise a test by mode and moment."""
    found = [
        pytest.param(
            *(mode, moment),
            id=f"{mode}-{moment}",
            marks=[pytest.mark.exhaustive] if mode in LIKE_ANOTHER else [],
        )
        for mode, moments in of.items()
        for moment in moments
    ]
    return pytest.mark.parametrize(("mode", "moment"), found)


def killed(mode: Mode, data: str, place: Path, patch: pytest.MonkeyPatch, moment: Moment) -> Ended:
    learning = {"dataset": data, "model": "digits-mlp", "split": "disjoint"}
    system = {"type": "secret-shared", "mode": mode}
    tables = {"name": "m", "workers": WORKERS, "epochs": EPOCHS, "system": system, "learning": learning}
    return run(tables, place, patch, moment)


def missed(ended: Ended) -> list[int]:
    return [event["epoch"] for event in ended.events if event["kind"] == "epoch" and event["missed"]]


def summed(ended: Ended, epoch: int) -> set[int]:
    """Whose updates were to be summed in an epoch, by the server's record."""
    kept = FileJournal(ended.folder, MANAGER).read("model", epoch)
    assert kept is not None
    return set(kept["previous"].tolist())


def assert_went_on_without_it(ended: Ended) -> None:
    assert (ended.summary["status"], ended.left) == ("completed", {VICTIM}), ended.summary["reason"]
    assert all(ended.epochs_done(worker) == {1, 2, 3} for worker in ALL - {VICTIM})


@cases(MISSED)
def test_before_what_is_needed_of_it_is_out_its_epoch_is_missed_and_no_other(
    mode: Mode, moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killed(mode, few_digits, tmp_path, monkeypatch, moment)
    assert_went_on_without_it(ended)
    assert missed(ended) == [2]


@cases(NOT_MISSED)
def test_after_that_its_epoch_is_not_missed(
    mode: Mode, moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killed(mode, few_digits, tmp_path, monkeypatch, moment)
    assert_went_on_without_it(ended)
    if mode == "shamir":
        assert missed(ended) == []
    else:  # the next one is, if it has begun before the server knows
        assert missed(ended) in ([], [1] if moment in AGREEING else [3])
    if moment in UPLOADED or moment in DEALT:
        assert summed(ended, 2) == ALL
    elif moment not in PERHAPS_DEALT:
        assert VICTIM not in summed(ended, 2)


@pytest.mark.parametrize("mode", ["prng", "shamir", "additive"])
def test_before_it_is_linked_the_run_ends_and_it_is_named(
    mode: Mode, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killed(mode, few_digits, tmp_path, monkeypatch, Moment(VICTIM, "links"))
    assert ended.summary["status"] == "failed"
    assert f"worker {VICTIM} was killed by SIGKILL before it was linked" in ended.summary["reason"]


@cases(SERVER_SENDS)
def test_without_the_server_the_run_ends_and_it_is_named(
    mode: Mode, moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killed(mode, few_digits, tmp_path, monkeypatch, moment)
    assert ended.summary["status"] == "failed"
    assert "manager was killed by SIGKILL" in ended.summary["reason"]


@pytest.mark.parametrize("mode", ["prng", "plain", "additive", "shamir"])
def test_no_kind_of_message_is_left_out(mode: Mode) -> None:
    """But `Declined`, which is said of an epoch that is repeated."""
    system = SecretShared(mode=mode)
    moments = {(moment.step, moment.kind) for moment in [*MISSED.get(mode, []), *NOT_MISSED[mode]]}
    to_server = {kind.__name__ for kind in system.receives(MANAGER)} - {Declined.__name__}
    to_worker = {kind.__name__ for kind in system.receives(VICTIM)}
    if mode != "prng":
        to_server -= {"Announcement"}
        to_worker -= {"Agree", "Announcements"}
    if not system.shares:
        to_server -= {"Held"}
        to_worker -= {"Open"}
    from_worker = to_server | (to_worker & {"Basis", "Share"})
    assert {kind for step, kind in moments if step == "got"} == to_worker
    assert {kind for step, kind in moments if step == "sends"} == from_worker
    assert {kind for step, kind in moments if step == "sent"} == from_worker
