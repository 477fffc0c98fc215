from pathlib import Path
from typing import Any

import pytest

from mdl.config import parse
from mdl.report import figures, tables
from mdl.report.runs import Run, read_run
from mdl.report.tables import Table
from tests.report.run_folder import accuracy, evaluated, make_run, resummarise, write_lines


def cells(found: list[Table]) -> dict[str, tuple[str, ...]]:
    return {
        row[0].replace("\u202f", " "): tuple(cell.replace("\u202f", " ") for cell in row[1:])
        for table in found
        for row in table.rows
    }


def compare(*runs: Run) -> dict[str, tuple[str, ...]]:
    return cells(list(tables.comparison(runs, [run.name for run in runs])))


def test_runs_are_compared_column_by_column(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / s, name=s, system=s)) for s in ("coordinated", "dynamic")]
    found = compare(*runs)
    assert found["system"] == ("coordinated", "dynamic")
    assert found["trained alone, mean"] == ("86.10 %", "86.10 %")
    assert found["up (sent by workers)"] == ("52.0 MB", "52.0 MB")
    assert found["missed blocks"] == ("14 (0.21 %)", "14 (0.21 %)")
    assert found["started"][0] == "2025-03-04 05:06:07 UTC"
    assert found["weights of the global model, SHA-256"] == ("abababababababab…",) * 2


def test_parties_that_listen_while_they_work_are_not_said_to_wait(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / "led")), resummarise(make_run(tmp_path / "free"), own_pace=True)]
    led, free = compare(*runs)["waiting, mean of the workers"]
    assert led != free == "–"
    assert [("waiting" in tables.times(run).head) for run in runs] == [True, False]


def test_a_resumed_run_says_what_its_figures_count(tmp_path: Path) -> None:
    run = resummarise(make_run(tmp_path / "run"), resumed=True)
    assert compare(run)["resumed"][0].startswith("yes")


def test_a_run_without_a_global_model_has_no_hash_of_one(tmp_path: Path) -> None:
    run = resummarise(make_run(tmp_path / "run"), weights={"global": None, "workers": {"1": "ab"}})
    assert tables.weights(run).rows == [("workers.1", "ab")]


def of_system(folder: Path, system: Any, **changes: Any) -> Run:
    """Make a run with the file of a real experiment."""
    made = make_run(folder, name=folder.name, system=system["type"])
    tables_ = {"name": folder.name, "workers": 3, "epochs": 12, "system": system}
    (made / "experiment.toml").write_text(parse({**tables_, "learning": {"batch": 16}}).to_toml())
    return resummarise(made, missed=None, missed_share=None, saturated=None, **changes)


DEALER = {"type": "quantised-mpc", "security": "dealer", "opening": 2}


def test_a_dealer_is_called_so_wherever_it_occurs(tmp_path: Path) -> None:
    run = of_system(tmp_path / "dealt", DEALER, bytes={"workers": 52_000_000, "dealer": 21_000_000})
    found = compare(run)
    assert found["sent by workers"] == ("52.0 MB",)
    assert found["sent by the dealer"] == ("21.0 MB",)
    assert not {"up (sent by workers)", "down (sent by the manager)", "missed blocks"} & found.keys()
    assert list(tables.messages(run).head)[1:5] == [
        *("messages of workers", "bytes of workers", "messages of the dealer", "bytes of the dealer"),
    ]
    assert tables.times(run).rows[0][0] == "dealer"
    sent = {row[0]: row[1:] for row in tables.traffic(run).rows}
    assert list(sent) == ["dealer", *(f"worker {number}" for number in range(1, 6))]
    assert sent["worker 1"] == ("14.3\u202fMB", "4.03\u202fMB")


def test_where_all_are_alike_nothing_goes_up_or_down(tmp_path: Path) -> None:
    run = of_system(tmp_path / "alike", {"type": "decentralised"}, bytes={"workers": 52_000_000})
    led = read_run(make_run(tmp_path / "led"))
    found = compare(run, led)
    assert found["sent by workers"] == ("52.0 MB", "–")
    assert found["up (sent by workers)"] == ("–", "52.0 MB")
    assert list(tables.messages(run).head) == [
        *("kind", "messages of workers", "bytes of workers", "bytes a message"),
    ]
    assert tables.traffic(led).rows == []


def test_epochs_have_no_column_of_what_was_not_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    everything = tables.epochs(read_run(folder)).head
    write_lines(folder / "metrics.jsonl", [evaluated(1.0, 1, 1, "global", 0.5)])
    assert list(tables.epochs(read_run(folder)).head) == ["epoch", "since start", "global", "loss"]
    assert {"opened", "missed", "workers"} < set(everything)


def test_a_computation_on_secrets_says_what_it_rests_on(tmp_path: Path) -> None:
    found = compare(of_system(tmp_path / "secret", DEALER), read_run(make_run(tmp_path / "other")))
    assert found["security model"][0].startswith("dealer: additive sharing with a dealer, semi-honest")
    assert found["who together would know everything"][0] == "all holders together, or one with the dealer"
    assert found["who does not follow the protocol"][0] == "can falsify the result unnoticed"
    assert found["the model is opened to"][0] == "worker 2 alone"
    assert found["rounding of quotients"] == ("probabilistic", "–")


def test_what_no_run_recorded_has_no_row(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    run = resummarise(folder, epochs_to_converge=None, weights={})
    found = compare(run)
    assert "epochs to converge" not in found
    assert "weights of the global model, SHA-256" not in found


def test_a_run_without_a_summary_gets_its_figures_from_metrics_and_ledger_marked(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", workers=5, epochs=12)
    (folder / "summary.json").unlink()
    found = compare(read_run(folder))
    assert found["global model"] == (f"{100 * accuracy(12):.2f} %†",)
    assert found["up (sent by workers)"] == ("71.5 MB†",)
    assert found["status"] == ("unfinished",)


@pytest.mark.parametrize(
    ("missed", "share", "text"),
    [(None, None, None), (3, None, "3"), (None, 0.5, "50.00 %"), (0, 0.0, "0 (0.00 %)")],
)
def test_missed_blocks_are_told_as_far_as_they_are_known(
    tmp_path: Path, missed: int | None, share: float | None, text: str | None
) -> None:
    run = resummarise(make_run(tmp_path / "run"), missed=missed, missed_share=share)
    assert compare(run).get("missed blocks") == (None if text is None else (text,))


def test_only_settings_that_differ_are_listed(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / str(n), name="same", workers=n)) for n in (4, 5)]
    assert tables.differences(runs, ["a", "b"]).rows == [("workers", "4", "5")]


def test_a_setting_that_one_file_lacks_differs(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / name, name="same") for name in ("a", "b")]
    with (folders[1] / "experiment.toml").open("a") as file:
        file.write("spare = 1\n")
    runs = [read_run(folder) for folder in folders]
    assert tables.differences(runs, ["a", "b"]).rows == [("system.spare", "–", "1")]


@pytest.mark.parametrize(
    ("left", "text"),
    [
        ([], "none"),
        ([2, 4], "worker 2; worker 4"),
        ([{"worker": 2, "how": "killed"}], "worker 2, how killed"),
        ([{"worker": 2, "epoch": 3, "how": "killed"}], "worker 2 in epoch 3: killed"),
        ([{"worker": 2, "epoch": 3, "how": "killed\nThe end of its log:"}], "worker 2 in epoch 3: killed"),
        (
            [{"worker": 2, "epoch": 3, "how": "x.toml:\n  a: no\n  b: no"}],
            "worker 2 in epoch 3: x.toml: a: no b: no",
        ),
        (["worker 2"], "worker 2"),
    ],
)
def test_workers_that_left_are_named_however_the_summary_puts_it(
    tmp_path: Path, left: list[Any], text: str
) -> None:
    run = resummarise(make_run(tmp_path / "run"), left=left)
    assert compare(run)["workers that left"] == (text,)


def test_a_departure_that_several_parties_saw_is_told_once(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    left = {"seconds": 3, "kind": "left", "epoch": 2, "worker": 4, "how": "link closed"}
    write_lines(folder / "metrics.jsonl", [{**left, "party": party} for party in (0, 1)])
    assert figures.departures(read_run(folder)) == ["worker 4 in epoch 2: link closed"]


def test_every_row_of_every_table_is_as_long_as_its_head(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run"))
    makers = (tables.epochs, tables.messages, tables.times, tables.environment, tables.weights)
    for table in (make(run) for make in makers):
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_messages_have_their_mean_size(tmp_path: Path) -> None:
    found = cells([tables.messages(read_run(make_run(tmp_path / "run", workers=5, epochs=12)))])
    assert found["Upload"] == ("260", "52.0 MB", "–", "–", "200 kB")


def test_the_time_to_an_accuracy_is_that_to_a_point_below_the_best_that_all_reached(tmp_path: Path) -> None:
    runs = []
    for name, scores in (("quick", (0.5, 0.93, 0.97)), ("slow", (0.6, 0.7, 0.94))):
        folder = make_run(tmp_path / name, name=name)
        lines = [evaluated(10.0 * epoch, 0, epoch, "global", score) for epoch, score in enumerate(scores, 1)]
        write_lines(folder / "metrics.jsonl", lines)
        runs.append(read_run(folder))
    assert compare(*runs)["until accuracy 93.00 %, a point below the best that all reached"] == (
        "20.0 s",
        "30.0 s",
    )
    assert compare(runs[0])["until accuracy 96.00 %, a point below its best"] == ("30.0 s",)


def test_contributions_are_told_with_their_pace_and_how_evenly_they_were_taken(tmp_path: Path) -> None:
    fairness = {"jain": 0.8512, "accepted": {"1": 60, "2": 30, "10": 10}}
    counted = resummarise(make_run(tmp_path / "one"), fairness=fairness, seconds={"total": 40.0})
    other = read_run(make_run(tmp_path / "two"))
    found = compare(counted, other)
    assert found["contributions taken"] == ("100", "–")
    assert found["contributions taken a second"] == ("2.5", "–")
    assert found["Jain's index of the workers' contributions"] == ("0.851", "–")
    assert cells([tables.contributions(counted)]) == {
        "worker 1": ("60", "60.00 %"),
        "worker 2": ("30", "30.00 %"),
        "worker 10": ("10", "10.00 %"),
    }
    assert tables.contributions(other).rows == []


def test_tables_of_simulated_time_are_called_so(tmp_path: Path) -> None:
    real = read_run(make_run(tmp_path / "real"))
    simulated = resummarise(make_run(tmp_path / "simulated"), clock="virtual")
    assert "How long it took" in [table.title for table in tables.comparison([real], ["a"])]
    assert "How long it took (simulated time)" in [
        table.title for table in tables.comparison([simulated], ["a"])
    ]
    both = [table.title for table in tables.comparison([real, simulated], ["a", "b"])]
    assert "How long it took (simulated time where so named)" in both
    assert tables.times(simulated).title == "Time by party (simulated time)"
    assert tables.epochs(simulated).head[1] == "simulated time"


def test_the_gain_is_called_and_counted_as_where_the_run_ends(tmp_path: Path) -> None:
    run = resummarise(make_run(tmp_path / "run"), accuracy={"global": 0.95, "alone_mean": 0.9})
    assert compare(run)["gain by joining, over the mean worker alone"] == ("+5.00 points",)


def test_without_a_summary_each_workers_own_model_counts_as_it_was_scored_last(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    scores = [evaluated(9, 1, 40, "own", 0.9), evaluated(9, 2, 6, "own", 0.5)]
    write_lines(folder / "metrics.jsonl", scores)
    (folder / "summary.json").unlink()
    found = compare(read_run(folder))
    assert found["workers' own models, mean"] == ("70.00 %†",)
    assert found["workers' own models, worst"] == ("50.00 %†",)


def test_phases_of_training_are_shown_by_the_step_and_others_in_all(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    costs = {"rounds": 8, "sent_bytes": 4000, "computing_seconds": 2.0, "waiting_seconds": 1.0}
    lines = [
        {
            "seconds": 1.0,
            "party": party,
            "kind": "cost",
            "epoch": epoch,
            "phase": name,
            "steps": steps,
            **costs,
        }
        for party in (1, 2)
        for epoch in (1, 2)
        for name, steps in (("forward", 4), ("update", 4), ("scoring", 0))
    ]
    write_lines(folder / "metrics.jsonl", lines)
    found = tables.phases(read_run(folder))
    assert found.title == "Phases, by the step (8 steps)"
    shown = cells([found])
    # Two epochs of four steps, two parties.
    assert shown["forward"] == ("2", "2.00 kB", "500.0", "250.0")
    assert shown["a whole step"] == ("4", "4.00 kB", "1,000", "500.0")
    assert shown["scoring, in all"] == ("16", "16.0 kB", "4,000", "2,000")


def test_a_run_without_phases_has_no_table_of_them(tmp_path: Path) -> None:
    assert not tables.phases(read_run(make_run(tmp_path / "run"))).rows
