"""Systems side by side: whose accuracy, what costs, whose words."""

from pathlib import Path
from typing import Any

from mdl.config import parse
from mdl.report.runs import Run
from mdl.report.systems import (
    as_markdown,
    caption,
    compares_systems,
    figures_table,
    shared,
    system_of,
    systems_table,
    traits_table,
)
from tests.report.run_folder import make_run, resummarise, write_lines

FEDAVG = {"type": "fedavg"}
COORDINATED = {"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}}
DECENTRALISED = {"type": "decentralised"}


def run(folder: Path, name: str, system: Any, seed: int = 1, **changes: Any) -> Run:
    """Make a run with the files of a real experiment."""
    made = make_run(folder / f"{name}-{seed}", name=name, system=system["type"])
    tables = {"name": name, "seed": seed, "workers": 5, "epochs": 12, "system": system}
    (made / "experiment.toml").write_text(parse(tables).to_toml())
    return resummarise(made, seed=seed, **changes)


def cells(table: Any, experiment: str) -> dict[str, str]:
    [row] = [row for row in table.rows if row[0] == experiment]
    return dict(zip(table.head, row, strict=True))


def test_several_experiments_are_compared_and_one_under_other_settings_is_not(tmp_path: Path) -> None:
    fedavg = run(tmp_path, "fedavg", FEDAVG)
    assert not compares_systems([fedavg, run(tmp_path, "fedavg", FEDAVG, seed=2)])
    assert compares_systems([fedavg, run(tmp_path, "other", FEDAVG)])
    assert compares_systems([fedavg, run(tmp_path, "fedavg", COORDINATED, seed=3)])


def test_a_system_is_named_with_its_mode_scheme_and_graph(tmp_path: Path) -> None:
    assert system_of(run(tmp_path, "a", FEDAVG)) == "fedavg"
    assert system_of(run(tmp_path, "b", COORDINATED)) == "coordinated, plain"
    assert system_of(run(tmp_path, "c", DECENTRALISED)) == "decentralised, bfv, ring"


def test_costs_are_those_of_an_epoch(tmp_path: Path) -> None:
    found = cells(figures_table([run(tmp_path, "a", COORDINATED)]), "a")
    assert found["time an epoch"] == "4.00\u202fs"
    assert found["bytes an epoch"] == "6.08\u202fMB"  # 73 MB in 12 epochs


def test_without_a_manager_an_epoch_ends_with_the_last_party(tmp_path: Path) -> None:
    made = run(tmp_path, "a", DECENTRALISED)
    done = [
        {"seconds": 10.0 * epoch + party, "party": party, "kind": "done", "epoch": epoch}
        for epoch in (1, 2, 3)
        for party in (1, 2)
    ]
    write_lines(made.folder / "metrics.jsonl", done)
    found = cells(figures_table([resummarise(made.folder, epochs=3)]), "a")
    assert found["time an epoch"] == "10.0\u202fs"


def test_where_there_is_no_global_model_it_is_said_whose_accuracy_it_is(tmp_path: Path) -> None:
    own = {"own_mean": 0.91, "own_worst": 0.88, "alone_mean": 0.8}
    runs = [
        run(tmp_path, "a", FEDAVG),
        run(tmp_path, "b", DECENTRALISED, accuracy=own),
        run(tmp_path, "c", {"type": "standalone", "pooled": True}, accuracy={**own, "pooled": 0.95}),
    ]
    table = figures_table(runs)
    assert "(" not in cells(table, "a")["accuracy"]
    assert cells(table, "b")["accuracy"] == "91.00\u202f% (mean of own models, worst 88.00\u202f%)"
    assert cells(table, "c")["accuracy"] == "95.00\u202f% (all data pooled)"


def test_seeds_of_an_experiment_are_one_row(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, name, FEDAVG, seed, accuracy={"global": 0.9 + 0.02 * seed})
        for name in ("a", "b")
        for seed in (1, 2)
    ]
    table = figures_table(runs)
    assert [row[0] for row in table.rows] == ["a", "b"]
    assert cells(table, "a")["accuracy"] == "93.00\u202f% ± 1.41\u202f%"


def test_a_run_that_ended_early_has_no_figures_and_is_called_so(tmp_path: Path) -> None:
    runs = [run(tmp_path, "a", FEDAVG), run(tmp_path, "b", COORDINATED, status="failed")]
    found = cells(figures_table(runs), "b (failed)")
    assert found["accuracy"] == "–"
    assert cells(traits_table(runs), "b (failed)")["who learns what"].startswith("manager")


def test_what_a_system_says_of_itself_stands_in_the_table(tmp_path: Path) -> None:
    made = run(tmp_path, "a", COORDINATED)
    traits = made.traits
    assert traits is not None
    found = cells(traits_table([made]), "a")
    assert (found["who learns what"], found["a worker is lost"]) == (traits.learns, traits.loss)


def test_a_file_of_other_times_leaves_the_words_open(tmp_path: Path) -> None:
    made = run(tmp_path, "a", FEDAVG)
    (made.folder / "experiment.toml").write_text('name = "a"\nworkers = 5\n[system]\ntype = "bygone"\n')
    strange = resummarise(made.folder)
    assert strange.traits is None
    assert cells(traits_table([strange]), "a")["a worker is lost"] == "–"


def test_one_table_has_it_all(tmp_path: Path) -> None:
    table = systems_table([run(tmp_path, "a", FEDAVG), run(tmp_path, "b", COORDINATED)])
    assert table.head[:3] == ("experiment", "system", "accuracy")
    assert table.head[-2:] == ("who learns what", "a worker is lost")
    assert [row[1] for row in table.rows] == ["fedavg", "coordinated, plain"]
    assert {len(row) for row in table.rows} == {len(table.head)}


def test_the_markdown_has_a_line_an_experiment_and_says_what_they_share(tmp_path: Path) -> None:
    text = as_markdown([run(tmp_path, "a", FEDAVG), run(tmp_path, "b", COORDINATED)]).decode()
    rows, _, said = text.partition("\n\n")
    assert len({line.count("|") for line in rows.splitlines()}) == 1
    assert [line.split(" | ")[0] for line in rows.splitlines()] == ["| experiment", "| ---", "| a", "| b"]
    assert said.startswith("5 workers, digits,")
    assert "Time an epoch:" in said


def test_only_what_agrees_is_shared(tmp_path: Path) -> None:
    said = shared([run(tmp_path, "a", FEDAVG), run(tmp_path, "a", FEDAVG, seed=2)])
    assert "5 workers" in said
    assert "12 epochs" in said
    assert "seed" not in said


def test_the_caption_explains_the_columns_that_there_are(tmp_path: Path) -> None:
    made = run(tmp_path, "a", FEDAVG)
    assert "Alone:" in caption([made])
    assert "Alone:" not in caption([resummarise(made.folder, accuracy={"global": 0.5})])


def test_simulated_times_are_said_to_be(tmp_path: Path) -> None:
    runs = [run(tmp_path, name, FEDAVG, clock="virtual") for name in ("a", "b")]
    assert figures_table(runs).title.endswith("(simulated time)")
    assert "All in simulated time." in as_markdown(runs).decode()
