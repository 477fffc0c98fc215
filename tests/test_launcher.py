"""In what order the launcher takes reports, and where a resumed run goes on from."""

import json
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from mdl.authority import deal_keys
from mdl.children import Child
from mdl.config import Experiment, parse
from mdl.errors import MdlError
from mdl.folder import SUMMARY, FileJournal, Held, write_json
from mdl.launcher import _Launcher, launch
from mdl.party import MANAGER
from mdl.resumption import resume_epochs
from mdl.systems.coordinated import Coordinated

TABLES = {
    "name": "small",
    "workers": 4,
    "epochs": 9,
    "system": {"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}},
}


def keep(run: Path, kept: dict[int, list[int]]) -> None:
    for party, epochs in kept.items():
        for epoch in epochs:
            FileJournal(run, party).write("model", epoch, {"parameters": np.zeros(1)})


@pytest.mark.parametrize(
    ("kept", "epoch"),
    [
        ({0: [4, 5], 1: [4, 5], 2: [4, 5], 3: [4, 5], 4: [4, 5]}, 5),
        ({0: [4, 5], 1: [4, 5], 2: [3, 4], 3: [4, 5], 4: [4, 5]}, 4),  # one was an epoch behind
        ({0: [4, 5], 1: [2, 3], 2: [4, 5], 3: [3, 4], 4: [4, 5]}, 4),  # another had left long before
        ({0: [4, 5], 1: [1, 2], 2: [4, 5], 3: [4, 5], 4: []}, 5),
        ({0: [4], 1: [5], 2: [4, 5], 3: [4, 5], 4: [4, 5]}, 4),  # nothing in common: the manager's
    ],
)
def test_parties_go_on_from_the_latest_epoch_that_those_who_kept_up_have(
    tmp_path: Path, kept: dict[int, list[int]], epoch: int
) -> None:
    keep(tmp_path, kept)
    assert resume_epochs(parse(TABLES), tmp_path) == dict.fromkeys(range(5), epoch)


def test_who_trains_alone_goes_on_from_its_own_epoch(tmp_path: Path) -> None:
    keep(tmp_path, {1: [2, 3], 2: [4, 5]})
    experiment = parse({**TABLES, "system": {"type": "standalone"}})
    assert resume_epochs(experiment, tmp_path) == {1: 3, 2: 5, 3: 0, 4: 0}


async def test_a_terminal_that_is_gone_is_heeded_once_however_often_it_is_said(tmp_path: Path) -> None:
    """The kernel says it and the shell may; a second Ctrl-C would kill."""
    events: list[Mapping[str, Any]] = []
    launcher = _Launcher(
        parse(TABLES), tmp_path, tmp_path, data_dir=None, watch=events.append, resuming=False
    )
    for _ in range(3):
        launcher._hang_up()
    assert events == [{"kind": "stopping"}]
    assert (launcher._interrupted, launcher._stopping) == (True, True)


def test_nothing_is_launched_in_a_folder_that_nobody_keeps() -> None:
    """The type checker sees to it: only `locked` gives such a folder."""
    assert get_type_hints(launch)["run"] is Held


def test_what_workers_reported_before_the_manager_did_is_on_record_before(tmp_path: Path) -> None:
    """So that an epoch's line counts what every worker has spent in it, however late the launcher looks."""
    seen: list[Any] = []
    launcher = _Launcher(parse(TABLES), tmp_path, tmp_path, data_dir=None, watch=seen.append, resuming=False)
    theirs = {}
    with (tmp_path / "metrics").open("wb", buffering=0) as launcher._metrics:
        for party in range(5):
            ours, theirs[party] = Pipe()
            launcher._children[party] = Child(party, ForkServerProcess(), ours, 9)
        for worker in (3, 1, 4, 2):
            theirs[worker].send_bytes(report("trained", worker, loss=1.0, examples=9))
        theirs[MANAGER].send_bytes(report("evaluated", MANAGER, model="global", loss=1.0, accuracy=0.5))
        launcher._read(launcher._children[MANAGER])
    assert [event["party"] for event in seen] == [1, 2, 3, 4, MANAGER]


MUTUAL = {"name": "smule", "workers": 2, "epochs": 2, "system": {"type": "mutual"}}


def ended(
    place: Path,
    failures: Mapping[int, Mapping[str, Any] | None],
    *,
    killed: int | None = None,
    cut: bool = False,
) -> Mapping[str, Any]:
    """Give the summary of a run of SMuLe whose parties ended so: None for one that came to its end.

    One may have been killed, by the launcher itself if `cut`, and be seen to be after all others.
    """
    launcher = _Launcher(parse(MUTUAL), place, place, data_dir=None, watch=lambda _: None, resuming=False)
    launcher._stopping = True  # there are no processes to stop
    with (place / "metrics.jsonl").open("wb", buffering=0) as launcher._metrics:
        launcher._children = {party: Child(party, ForkServerProcess(), Pipe()[0], 2) for party in range(3)}
        for child in launcher._children.values():
            child.linked, child.failure = True, failures[child.party]
            if child.failure is None:
                child.finished = {"epochs": 2}
        for child in launcher._children.values():
            if child.failure:
                launcher._lost(child)
        if killed is not None:
            launcher._children[killed].finished, launcher._children[killed].cut = None, cut
            launcher._lost(launcher._children[killed])
        return launcher._sum_up()


LOSS = {"error": "PeerLeft", "message": "the link is gone", "mistake": False}
MISTAKE = {"error": "OutOfRange", "message": "a weight is too large", "mistake": True}


def test_who_has_lost_others_is_missed_by_nobody_who_tolerates_it(tmp_path: Path) -> None:
    assert ended(tmp_path, {0: None, 1: None, 2: LOSS})["exit_code"] == 0


def test_a_mistake_is_no_loss_and_the_run_fails_by_name(tmp_path: Path) -> None:
    summary = ended(tmp_path, {0: None, 1: None, 2: MISTAKE})
    assert (summary["status"], summary["exit_code"]) == ("failed", 1)
    assert summary["reason"] == "worker 2: OutOfRange: a weight is too large"


@pytest.mark.parametrize("cut", [False, True])
def test_who_was_killed_is_named_before_those_whom_it_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    monkeypatch.setattr(ForkServerProcess, "exitcode", -9)
    reason = ended(tmp_path, {0: LOSS, 1: LOSS, 2: None}, killed=2, cut=cut)["reason"]
    assert ("worker 2 was killed by SIGKILL" in reason) == (not cut)
    assert ("the link is gone" in reason) == cut


def test_who_trains_yet_when_the_dealer_is_done_has_as_long_as_an_epoch_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dealer is done before the last epoch is trained, and `timeout_seconds` need not cover an epoch."""
    launcher = _Launcher(
        parse({**MUTUAL, "system": {"type": "mutual", "timeout_seconds": 4.0}}),
        tmp_path,
        tmp_path,
        data_dir=None,
        watch=lambda _: None,
        resuming=False,
    )
    owner = Child(1, ForkServerProcess(), Pipe()[0], 2)
    with (tmp_path / "metrics.jsonl").open("wb", buffering=0) as launcher._metrics:
        for seconds, kind in ((0.0, "linked"), (20.0, "trained"), (21.0, "done")):
            monkeypatch.setattr("mdl.launcher.time.monotonic", lambda seconds=seconds: seconds)
            launcher._take(owner, json.loads(report(kind, 1, loss=1.0, examples=9)))
    assert launcher._allowance() == 24.0


def test_a_dealer_alone_completes_nothing(tmp_path: Path) -> None:
    summary = ended(tmp_path, {0: None, 1: LOSS, 2: LOSS})
    assert (summary["status"], summary["exit_code"]) == ("failed", 1)


def report(kind: str, party: int, **figures: Any) -> bytes:
    return json.dumps({"kind": kind, "party": party, "epoch": 1, **figures}).encode()


class _OwnPace(Coordinated):
    @property
    def own_pace(self) -> bool:
        return True


def _at_their_own_pace() -> Experiment:
    return parse(TABLES).model_copy(update={"system": _OwnPace(threshold=3)})


def test_parties_at_their_own_pace_go_on_from_their_own_epochs(tmp_path: Path) -> None:
    keep(tmp_path, {0: [4, 5], 1: [2, 3], 2: [11, 12], 3: [5]})
    assert resume_epochs(_at_their_own_pace(), tmp_path) == {0: 5, 1: 3, 2: 12, 3: 5, 4: 0}


@pytest.mark.parametrize(("epochs", "reason"), [([], "nothing to resume"), ([9, 10], "is complete")])
def test_where_all_go_at_their_own_pace_the_managers_epoch_says_how_far_the_run_is(
    tmp_path: Path, epochs: list[int], reason: str
) -> None:
    keep(tmp_path, {0: epochs, 1: [3]})
    with pytest.raises(MdlError, match=reason):
        resume_epochs(_at_their_own_pace(), tmp_path)


def test_without_a_checkpoint_of_the_manager_there_is_nothing_to_resume(tmp_path: Path) -> None:
    keep(tmp_path, {1: [1, 2]})
    with pytest.raises(MdlError, match="nothing to resume"):
        resume_epochs(parse(TABLES), tmp_path)


def test_a_complete_run_is_not_resumed(tmp_path: Path) -> None:
    keep(tmp_path, {party: [8, 9] for party in range(5)})
    write_json(tmp_path / SUMMARY, {"status": "completed"})
    with pytest.raises(MdlError, match="is complete"):
        resume_epochs(parse(TABLES), tmp_path)


@pytest.mark.parametrize("status", ["interrupted", "failed", None])
def test_a_run_that_was_broken_off_after_its_last_epoch_is_taken_up_there(
    tmp_path: Path, status: str | None
) -> None:
    keep(tmp_path, {party: [8, 9] for party in range(5)})
    if status is not None:  # a launcher that was killed leaves no summary
        write_json(tmp_path / SUMMARY, {"status": status})
    assert resume_epochs(parse(TABLES), tmp_path) == dict.fromkeys(range(5), 9)


def test_each_party_is_given_the_secrets_of_its_own_links_and_no_other() -> None:
    keys = deal_keys(parse(TABLES))
    assert set(keys[0].secrets) == {1, 2, 3, 4}
    assert len(set(keys[0].secrets.values())) == 4
    for worker in range(1, 5):
        assert keys[worker].secrets == {MANAGER: keys[0].secrets[worker]}
    assert len({key.run for key in keys.values()}) == 1
    assert "secrets" not in repr(keys[1])
