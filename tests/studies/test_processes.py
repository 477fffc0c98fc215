"""Calls in processes of their own. These start a forkserver that imports torch, once for all of them."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from mdl.studies.entry import Call, Ending
from mdl.studies.processes import UNSTARTED, Event, call_all
from tests.studies import calls

pytestmark = pytest.mark.slow


def events_of(*made: Call, jobs: int = 2) -> tuple[dict[str, Ending], Sequence[Event]]:
    shown: list[Event] = []
    return dict(call_all(made, jobs=jobs, watch=shown.append)), shown


def test_calls_are_made_and_what_happens_is_shown(tmp_path: Path) -> None:
    endings, shown = events_of(
        *(Call(name, calls.write, {"path": tmp_path / name}) for name in ("one", "two", "three")), jobs=1
    )
    assert endings == dict.fromkeys(("one", "two", "three"), Ending("completed"))
    assert [(event.name, event.kind) for event in shown] == [
        (name, kind) for name in ("one", "two", "three") for kind in ("started", "progress", "ended")
    ]
    assert shown[1].figures == {"epoch": 1, "epochs": 1}
    assert (tmp_path / "three").read_text() == "done"


def test_a_call_that_fails_stops_no_other_and_says_why(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "stumble.txt"
    endings, _ = events_of(
        Call("refuse", calls.refuse),
        Call("stumble", calls.stumble, log=log),
        Call("die", calls.die, log=tmp_path / "die.txt"),
        Call("write", calls.write, {"path": tmp_path / "write"}, log=tmp_path / "write.txt"),
    )
    assert endings["refuse"] == Ending("failed", "MdlError: there is no such thing")
    assert endings["stumble"].reason == f"ZeroDivisionError: by nought (its traceback is in {log})"
    assert "raise ZeroDivisionError" in log.read_text()
    assert endings["die"] == Ending("failed", "its process was killed by SIGKILL\n  about to die")
    assert endings["write"] == Ending("completed")
    assert not (tmp_path / "write.txt").exists()  # it had nothing to say


def test_a_call_can_be_sent_what_a_terminal_sends() -> None:
    _, shown = events_of(Call("tell", calls.tell_blocked))
    assert shown[1].figures == {"blocked": 0}


def test_ctrl_c_stops_what_goes_on_and_starts_no_more(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    endings, shown = events_of(
        Call("press", calls.press, {"times": 1}), Call("write", calls.write, {"path": tmp_path / "x"}), jobs=1
    )
    assert endings == {"press": Ending("interrupted", "stopped by the user"), "write": UNSTARTED}
    assert [event.kind for event in shown] == ["started", "stopping", "ended", "ended"]
    assert not (tmp_path / "x").exists()
    assert signal.getsignal(signal.SIGINT) == before


def test_what_does_not_stop_is_killed_when_ctrl_c_is_pressed_a_third_time() -> None:
    endings, _ = events_of(Call("deaf", calls.press_and_ignore, {"times": 3}))
    assert endings == {"deaf": Ending("interrupted", "killed by the user")}


def test_no_calls_need_no_process() -> None:
    assert events_of() == ({}, [])
