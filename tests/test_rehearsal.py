"""`mdl simulate`: the whole experiment in one thread, and the folder that it leaves."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from mdl.config import Experiment, load, parse
from mdl.errors import DataUnavailable, MdlError
from mdl.party import PartyId
from mdl.rehearsal import Conditions, Watcher, cast, rehearse
from mdl.report import write_report
from mdl.report.runs import read_run
from mdl.simulator import Network

HETEROGENEOUS = Path(__file__).parent.parent / "configs" / "heterogeneous.toml"

PLAIN = {"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}}


def experiment(system: Mapping[str, Any] = PLAIN, **keys: Any) -> Experiment:
    learning = {"dataset": "digits", "model": "digits-mlp", "train_limit": 60, "test_limit": 40}
    tables = {"name": "tiny", "workers": 3, "epochs": 2, "system": system, "learning": learning}
    return parse({**tables, **keys})


def folder_of(place: Path, found: Experiment) -> Path:
    place.mkdir()
    (place / "experiment.toml").write_text(found.to_toml())
    return place


def rehearsed(
    place: Path,
    found: Experiment,
    conditions: Conditions | None = None,
    watch: Watcher = lambda _: None,
) -> Mapping[str, Any]:
    learners = cast(found, None)
    return rehearse(found, learners, folder_of(place, found), conditions or Conditions(), watch)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_simulation_leaves_the_folder_of_a_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    summary = rehearsed(run, experiment())
    assert summary == json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["exit_code"], summary["epochs"]) == ("completed", 0, 2)
    assert (summary["clock"], summary["reason"]) == ("virtual", "all epochs done")
    assert summary["weights"]["global"]
    kinds = {line["kind"] for line in lines(run / "metrics.jsonl")}
    assert {"trained", "updated", "done", "epoch", "evaluated", "accepted"} <= kinds


def test_every_party_has_an_account_of_the_whole_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    summary = rehearsed(run, experiment())
    ledger = lines(run / "ledger.jsonl")
    assert [(entry["party"], entry["epoch"]) for entry in ledger] == [(party, 2) for party in range(4)]
    up = sum(row["size_bytes"] for entry in ledger[1:] for row in entry["sent"].values())
    assert summary["bytes"]["up"] == up > 0


def test_a_simulation_can_be_reported(tmp_path: Path) -> None:
    rehearsed(tmp_path / "run", experiment())
    run = read_run(tmp_path / "run")
    assert run.completed
    assert run.faults == ("environment.json is missing.",)
    assert write_report([tmp_path / "run"], tmp_path / "report")[0].is_file()


def test_slow_links_take_virtual_time(tmp_path: Path) -> None:
    slow = Conditions(Network(latency_seconds=60.0))
    summary = rehearsed(tmp_path / "run", experiment({"type": "fedavg"}), slow)
    assert 5 * 60 <= summary["seconds"]["total"] < 5 * 60 + 30  # there and back twice, and the end


@pytest.mark.parametrize("system", ["coordinated", "dynamic"])
def test_with_training_that_takes_a_given_time_nothing_is_measured(tmp_path: Path, system: str) -> None:
    found = experiment({**PLAIN, "type": system}, delay={"slope_seconds": 5.0})
    conditions = Conditions(training_seconds=10.0)
    runs = [tmp_path / name for name in ("one", "two")]
    for run in runs:
        rehearsed(run, found, conditions)
    assert (runs[0] / "metrics.jsonl").read_text() == (runs[1] / "metrics.jsonl").read_text()
    [first] = [line for line in lines(runs[0] / "metrics.jsonl") if line["kind"] == "trained"][:1]
    assert first["seconds"] == pytest.approx(10 + found.delays(1)[0], abs=1e-4)


@pytest.mark.parametrize("training_seconds", [10.0, None])
def test_where_machines_are_unlike_first_come_first_served_is_sooner_done_and_less_even(
    tmp_path: Path, training_seconds: float | None
) -> None:
    found = {}
    for system in ("coordinated", "dynamic"):
        study, _ = load(HETEROGENEOUS, ["epochs=3", f"system.type={system}"])
        found[system] = rehearsed(tmp_path / system, study, Conditions(training_seconds=training_seconds))
    coordinated, dynamic = found["coordinated"], found["dynamic"]
    assert dynamic["seconds"]["total"] < coordinated["seconds"]["total"]
    assert dynamic["fairness"]["jain"] < coordinated["fairness"]["jain"] == 1.0


def test_workers_are_trained_alone_if_the_experiment_asks_for_it(tmp_path: Path) -> None:
    accuracy = rehearsed(tmp_path / "run", experiment(alone=True))["accuracy"]
    assert 0 < accuracy["alone_worst"] <= accuracy["alone_mean"] <= 1
    assert "alone_mean" not in rehearsed(tmp_path / "other", experiment())["accuracy"]


def test_every_event_is_shown_as_it_comes(tmp_path: Path) -> None:
    shown: list[Mapping[str, Any]] = []
    rehearsed(tmp_path / "run", experiment(), watch=shown.append)
    assert [event for event in shown if event["kind"] != "ledger"] == lines(tmp_path / "run/metrics.jsonl")
    assert [event["entry"] for event in shown if event["kind"] == "ledger"] == lines(
        tmp_path / "run/ledger.jsonl"
    )


def test_ctrl_c_keeps_what_was_learnt(tmp_path: Path) -> None:
    def watch(event: Mapping[str, Any]) -> None:
        if event["kind"] == "epoch":
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    summary = rehearsed(tmp_path / "run", experiment(epochs=50), watch=watch)
    assert (summary["status"], summary["exit_code"], summary["epochs"]) == ("interrupted", 130, 1)
    assert summary["bytes"] == {}
    assert not read_run(tmp_path / "run").completed
    assert signal.getsignal(signal.SIGINT) == before


def test_models_trained_alone_spend_of_their_examples_privacy_too(tmp_path: Path) -> None:
    private = {"type": "dp-sgd", "noise_multiplier": 1.0}
    learning = {"dataset": "digits", "model": "digits-mlp", "train_limit": 60, "test_limit": 40}
    found = experiment(alone=True, learning={**learning, "privacy": private})
    summary = rehearsed(tmp_path / "run", found)
    assert summary["privacy"]["records"]["epochs"] == 2 + 2


def test_ctrl_c_while_workers_train_alone_keeps_the_run_too(tmp_path: Path) -> None:
    def watch(event: Mapping[str, Any]) -> None:
        if event["kind"] == "starting":
            os.kill(os.getpid(), signal.SIGINT)

    summary = rehearsed(tmp_path / "run", experiment(alone=True), watch=watch)
    assert (summary["status"], summary["epochs"]) == ("interrupted", 2)
    assert summary["bytes"]["up"] > 0


def test_a_party_that_fails_fails_the_run_by_name(tmp_path: Path) -> None:
    found = experiment()
    learners = cast(found, None)

    def broken() -> None:
        raise MdlError("no more")

    learners[0].evaluate = broken  # type: ignore[method-assign, assignment]
    summary = rehearse(found, learners, folder_of(tmp_path / "run", found), Conditions(), lambda _: None)
    assert (summary["status"], summary["exit_code"]) == ("failed", 1)
    assert summary["reason"] == "manager: MdlError: no more"


def test_without_a_manager_there_are_only_workers(tmp_path: Path) -> None:
    summary = rehearsed(tmp_path / "run", experiment({"type": "standalone"}))
    assert summary["weights"]["global"] is None
    assert list(summary["weights"]["workers"]) == ["1", "2", "3"]


@pytest.mark.parametrize("pooled", [False, True])
def test_every_party_has_a_learner(pooled: bool) -> None:
    parties: list[PartyId] = sorted(cast(experiment({"type": "standalone", "pooled": pooled}), None))
    assert parties == [0, 1, 2, 3] if pooled else [1, 2, 3]


def test_data_that_is_missing_is_found_out_before_anything_is_written() -> None:
    found = experiment()
    learning = found.learning.model_copy(update={"dataset": "nowhere.npz"})
    with pytest.raises(DataUnavailable):
        cast(found.model_copy(update={"learning": learning}), None)


def test_workers_with_models_of_their_own_leave_each_its_own(tmp_path: Path) -> None:
    learning = {"dataset": "digits", "models": ["digits-mlp", "digits-quadratic", "mlp"], "train_limit": 60}
    run = tmp_path / "run"
    assert rehearsed(run, experiment({"type": "standalone"}, learning=learning))["status"] == "completed"
    sizes = [
        sum(each.size for each in load_file(run / f"model-{worker}.safetensors").values())
        for worker in (1, 2, 3)
    ]
    assert sizes == [2_410, 2_410, 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10]
    page, *_ = write_report([run], tmp_path / "report")
    assert "digits-quadratic" in page.read_text()
