"""Parties started by hand: key files that nobody else can read, and what is refused before a start."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdl import node
from mdl.authority import deal_keys
from mdl.byhand import read_keys, start, write_keys
from mdl.config import Experiment, parse
from mdl.errors import ConfigError, PeerLeft
from mdl.folder import FileJournal
from mdl.orders import Orders, Report
from mdl.systems.coordinated import Coordinated

EXPERIMENT = parse(
    {
        "name": "by-hand",
        "workers": 3,
        "epochs": 1,
        "system": {"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}},
    }
)


def keys_in(folder: Path, experiment: Experiment = EXPERIMENT) -> list[Path]:
    return write_keys(deal_keys(experiment), folder)


def refused(
    tmp_path: Path,
    *,
    party: int = 1,
    keys: Path,
    sockets: Path | None = None,
    experiment: Experiment = EXPERIMENT,
    out: str = "out",
    resume: int = 0,
    rejoin: bool = False,
) -> str:
    if sockets is None:
        sockets = tmp_path / "sockets"
        sockets.mkdir(mode=0o700)
    before = listed(tmp_path / out)
    with pytest.raises(ConfigError) as caught:
        start(
            experiment,
            party,
            keys=keys,
            sockets=sockets,
            out=tmp_path / out,
            data_dir=None,
            resume=resume,
            rejoin=rejoin,
        )
    assert listed(tmp_path / out) == before
    return str(caught.value)


def listed(folder: Path) -> list[Path] | None:
    return sorted(folder.iterdir()) if folder.exists() else None


def test_keys_come_back_from_their_files(tmp_path: Path) -> None:
    dealt = deal_keys(EXPERIMENT)
    paths = write_keys(dealt, tmp_path / "keys")
    assert [read_keys(path) for path in paths] == list(dealt.values())
    assert [path.name for path in paths] == [f"party-{party}.key" for party in range(4)]


def test_key_files_and_their_folder_are_for_the_owner_alone(tmp_path: Path) -> None:
    paths = keys_in(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_keys_are_never_dealt_into_a_folder_that_exists(tmp_path: Path) -> None:
    keys_in(tmp_path / "keys")
    with pytest.raises(ConfigError, match=r"cannot make the folder .*: File exists"):
        keys_in(tmp_path / "keys")


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    key.chmod(0o640)
    assert f"can be read by others; do: chmod 600 {key}" in refused(tmp_path, keys=key)


def test_what_is_no_key_file_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "some.key"
    key.write_bytes(b"no key")
    key.chmod(0o600)
    assert "is no key file; make one with: mdl keys deal" in refused(tmp_path, keys=key)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path, keys=tmp_path / "nowhere.key")


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    assert "Is a directory" in refused(tmp_path, keys=tmp_path / "keys")


@pytest.mark.parametrize(("party", "file_of"), [(1, 2), (0, 1), (1, 0)])
def test_the_key_file_of_another_party_is_refused(tmp_path: Path, party: int, file_of: int) -> None:
    key = keys_in(tmp_path / "keys")[file_of]
    assert "is not the key file of" in refused(tmp_path, party=party, keys=key)


def test_a_party_that_the_experiment_has_not_is_refused(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    assert "--party 7: this experiment has no worker 7" in refused(tmp_path, party=7, keys=key)


def test_a_folder_of_sockets_must_be_there_and_private(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    sockets = tmp_path / "open"
    assert f"mkdir -m 700 {sockets}" in refused(tmp_path, keys=key, sockets=sockets)
    sockets.mkdir()
    sockets.chmod(0o755)
    assert f"chmod 700 {sockets}" in refused(tmp_path, keys=key, sockets=sockets)


def test_an_out_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    key, sockets = keys_in(tmp_path / "keys")[1], tmp_path / "sockets"
    sockets.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="Not a directory"):
        start(EXPERIMENT, 1, keys=key, sockets=sockets, out=key / "out", data_dir=None, resume=0)


def left_behind(folder: Path, party: int, run: bytes, resume: int = 0) -> None:
    """What a party leaves in its folder, as far as it says which run it was in."""
    folder.mkdir()
    (folder / f"part-{party}.json").write_text(f'{{"run": "{run.hex()}", "resume": {resume}}}')


def test_who_was_in_no_run_cannot_come_back(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    said = refused(tmp_path, keys=key, rejoin=True)
    assert "mdl node --rejoin" in said
    assert "out holds nothing of worker 1" in said


def test_nobody_comes_back_to_a_run_with_the_keys_of_another(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    left_behind(tmp_path / "out", 1, b"another run")
    assert "worker 1 was in another run" in refused(tmp_path, keys=key, rejoin=True)


def test_the_manager_cannot_come_back(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[0]
    assert "the manager cannot come back" in refused(tmp_path, party=0, keys=key, rejoin=True)


def test_nobody_comes_back_to_a_run_that_a_loss_ends(tmp_path: Path) -> None:
    class Brittle(Coordinated):
        @property
        def tolerates_loss(self) -> bool:
            return False

    brittle = EXPERIMENT.model_copy(update={"system": Brittle(threshold=3)})
    key = keys_in(tmp_path / "keys")[1]
    assert "a run of coordinated ends" in refused(tmp_path, keys=key, experiment=brittle, rejoin=True)


def test_coming_back_and_resuming_exclude_each_other(tmp_path: Path) -> None:
    key = keys_in(tmp_path / "keys")[1]
    left_behind(tmp_path / "out", 1, read_keys(key).run)
    assert "not with --resume" in refused(tmp_path, keys=key, resume=2, rejoin=True)


@pytest.mark.parametrize(("kept", "newest"), [([], 0), ([6, 7], 7)])
def test_who_comes_back_goes_on_from_its_newest_checkpoint_in_the_run_that_it_was_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: list[int], newest: int
) -> None:
    key, sockets, out = keys_in(tmp_path / "keys")[1], tmp_path / "sockets", tmp_path / "out"
    sockets.mkdir(mode=0o700)
    left_behind(out, 1, read_keys(key).run, resume=5)
    (out / "metrics-1.jsonl").write_text('{"seconds": 40.5, "kind": "done", "epoch": 7}\n{"seconds": 41.')
    for epoch in kept:
        FileJournal(out, 1).write("model", epoch, {"parameters": np.zeros(1)})
    given: list[Orders] = []

    def perform(orders: Orders, report: Report) -> int:
        given.append(orders)
        report({"kind": "trained", "epoch": 8})
        return 3

    monkeypatch.setattr("mdl.node.perform", perform)
    code = start(EXPERIMENT, 1, keys=key, sockets=sockets, out=out, data_dir=None, rejoin=True)
    assert code == 3
    assert [(orders.resume, orders.rejoin) for orders in given] == [(5, newest)]
    before, after = map(json.loads, (out / "metrics-1.jsonl").read_text().splitlines())
    assert (before["seconds"], after["kind"]) == (40.5, "trained")
    assert 40.5 <= after["seconds"] < 45


def test_keys_serve_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, sockets, out = keys_in(tmp_path / "keys")[1], tmp_path / "sockets", tmp_path / "out"
    sockets.mkdir(mode=0o700)
    events = iter(["failed", "linked", "linked"])

    def perform(orders: Orders, report: Report) -> int:
        report({"kind": next(events)})
        return 0

    monkeypatch.setattr("mdl.node.perform", perform)
    for _ in range(2):  # whoever was never linked has said nothing, and may try again
        start(EXPERIMENT, 1, keys=key, sockets=sockets, out=out, data_dir=None)
    assert "has served a run, and serves no other" in refused(tmp_path, keys=key, sockets=sockets)
    start(EXPERIMENT, 1, keys=key, sockets=sockets, out=out, data_dir=None, rejoin=True)


def test_of_two_runs_that_begin_with_the_same_keys_only_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, sockets = keys_in(tmp_path / "keys")[1], tmp_path / "sockets"
    sockets.mkdir(mode=0o700)

    def perform(orders: Orders, report: Report) -> int:
        if orders.run_folder.endswith("first"):  # while it waits for its peers, another is started
            start(EXPERIMENT, 1, keys=key, sockets=sockets, out=tmp_path / "second", data_dir=None)
        report({"kind": "linked"})
        return 0

    monkeypatch.setattr("mdl.node.perform", perform)
    with pytest.raises(ConfigError, match="serves another run, which began meanwhile"):
        start(EXPERIMENT, 1, keys=key, sockets=sockets, out=tmp_path / "first", data_dir=None)


def test_nobody_comes_back_to_neighbours_who_opened_its_keys(tmp_path: Path) -> None:
    graph = {"type": "complete"}
    system = {"type": "decentralised", "graph": graph, "threshold": 4}
    alone = parse({**EXPERIMENT.model_dump(exclude_none=True), "workers": 6, "system": system})
    key = write_keys(deal_keys(alone), tmp_path / "keys")[0]
    said = refused(tmp_path, keys=key, experiment=alone, rejoin=True)
    assert "a run of decentralised goes on without whoever it has lost" in said


DEALT = parse({"name": "by-hand", "workers": 2, "epochs": 1, "system": {"type": "mutual"}})


def test_a_dealer_is_called_one(tmp_path: Path) -> None:
    key, other, _ = keys_in(tmp_path / "keys", DEALT)
    assert "is not the key file of dealer" in refused(tmp_path, party=0, keys=other, experiment=DEALT)
    said = refused(tmp_path, party=0, keys=key, sockets=tmp_path / "sockets", experiment=DEALT, rejoin=True)
    assert "the dealer cannot come back" in said


def test_whom_an_error_blames_is_called_by_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node, "_play", _lost)
    orders = Orders(DEALT.model_dump(exclude_none=True), 1, deal_keys(DEALT)[1], "", str(tmp_path))
    reports: list[Mapping[str, Any]] = []
    assert node.perform(orders, reports.append) == 1
    assert reports[-1]["message"] == "the link is gone (dealer)"


async def _lost(*_: object) -> None:
    raise PeerLeft("the link is gone", [0])
