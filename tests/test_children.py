"""Why a party has ended: what it said itself, or what its log and its exit say."""

from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from mdl.children import Child, first_reason, why_ended
from mdl.errors import MdlError


def child(party: int, failure: Mapping[str, Any] | None = None) -> Child:
    return Child(party, ForkServerProcess(), Pipe()[0], 9, linked=True, failure=failure)


def said(error: str, message: str) -> Mapping[str, Any]:
    return {"error": error, "message": message, "mistake": False}


def test_of_one_that_was_killed_its_state_and_last_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForkServerProcess, "exitcode", -9)
    (tmp_path / "log-2.txt").write_text("".join(f"line {number}\n" for number in range(9)))
    killed = child(2)
    killed.reports("done", 3, 0.0)
    killed.reports("trained", 4, 1.0)
    text = str(why_ended(killed, [killed], tmp_path, "manager"))
    assert "worker 2" in text
    assert "was killed by SIGKILL in epoch 4, after its training" in text
    assert "line 8" in text
    assert "line 3" not in text


@pytest.mark.parametrize(
    ("party", "told", "state"),
    [
        (1, [], "in epoch 1, before its training was done"),
        (1, [("step", 1)], "in epoch 1, before its training was done"),
        (1, [("trained", 1), ("cost", 1)], "in epoch 1, after its training"),
        (1, [("trained", 1), ("done", 1), ("evaluated", 1)], "in epoch 2, before its training was done"),
        (1, [("trained", 1), ("done", 1), ("cost", 2)], "in epoch 2, before its training was done"),
        (1, [("trained", 9), ("updated", 9), ("done", 9), ("evaluated", 9)], "after its last epoch"),
        (0, [("evaluated", 2)], "in epoch 1"),
        (0, [("epoch", 1), ("accepted", 1)], "in epoch 2"),
        (0, [("epoch", 9)], "after its last epoch"),
    ],
)
def test_how_far_a_party_has_come_is_what_it_has_told(
    party: int, told: Sequence[tuple[str, int]], state: str
) -> None:
    found = child(party)
    for kind, epoch in told:
        found.reports(kind, epoch, 0.0)
    assert found.state == state


def test_seconds_between_reports_begin_with_the_first_that_is_heard_of() -> None:
    found = child(1)
    assert [found.reports("trained", 1, now) for now in (5.0, 7.5, 7.5)] == [0.0, 2.5, 0.0]


def test_what_several_say_is_told_once_and_that_they_lost_another_not_at_all(tmp_path: Path) -> None:
    children = [
        child(1, said("PeerLeft", "worker 3 is gone")),
        child(2, said("OutOfRange", "too large")),
        child(3, said("OutOfRange", "too large")),
        child(4, said("PeerLeft", "worker 2 is gone")),
    ]
    text = str(why_ended(children[0], children, tmp_path, "manager"))
    assert text == "worker 1: PeerLeft: worker 3 is gone\nworker 2: OutOfRange: too large"


def test_the_first_reason_stays_unless_it_is_of_those_that_a_killed_one_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForkServerProcess, "exitcode", -9)
    left, killed = child(1, said("PeerLeft", "worker 2 is gone")), child(2)
    of_left, of_killed = (why_ended(each, [left, killed], tmp_path, "manager") for each in (left, killed))
    assert first_reason(None, of_left, left) is of_left
    assert first_reason(of_left, of_killed, killed) is of_killed
    assert first_reason(of_killed, of_left, left) is of_killed
    other = MdlError("the disk is full")
    assert first_reason(other, of_killed, killed) is other
    killed.cut = True
    assert first_reason(of_left, of_killed, killed) is of_left
