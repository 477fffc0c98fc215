import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.report.naming import called, clock, flatten, labels, part, told
from mdl.report.runs import Run, read_run
from tests.report.run_folder import make_run


def run_with(folder: Path, settings: str = "", **summary: Any) -> Run:
    """A run of one name, with further lines in its experiment file and changes to its summary."""
    make_run(folder, name="digits", epochs=1, workers=1)
    with (folder / "experiment.toml").open("a") as file:
        file.write(settings)
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **summary}))
    return read_run(folder)


def test_runs_of_different_names_are_called_by_them(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, name=name)) for name in ("one", "two")]
    assert labels(runs) == ["one", "two"]


def test_runs_of_one_name_are_told_apart_by_their_systems(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / system, name="digits", system=system, workers=workers))
        for system, workers in (("coordinated", 5), ("dynamic", 6))
    ]
    assert labels(runs) == ["coordinated", "dynamic"]


def test_a_policy_is_called_by_its_table_and_type(tmp_path: Path) -> None:
    runs = [
        run_with(tmp_path / policy, f'[system.admission]\ntype = "{policy}"\npatience_seconds = {patience}')
        for policy, patience in (("first-come", 1), ("reserved-seats", 2))
    ]
    assert labels(runs) == ["admission first-come", "admission reserved-seats"]


def test_the_two_kinds_of_noise_are_named_as_one(tmp_path: Path) -> None:
    noise = '[system.privacy]\ntype = "laplace"\nepsilon = {}\n'.format
    records = '[learning.privacy]\ntype = "dp-sgd"\nepsilon = 8.0\n'
    runs = [
        run_with(tmp_path / str(number), settings)
        for number, settings in enumerate(["", noise(1.0), noise(3.0), records, noise(1.0) + records])
    ]
    assert labels(runs[:2]) == ["no noise", "Laplace noise"]
    assert labels(runs[1:3]) == ["ε 1", "ε 3"]
    assert labels([runs[1], runs[3]]) == ["Laplace noise", "dp-sgd"]
    mixed = ["no noise", "Laplace noise", "Laplace noise, ε 3", "dp-sgd", "Laplace noise and dp-sgd"]
    assert labels(runs) == mixed


def test_a_setting_has_a_word() -> None:
    keys = ("system.graph.type", "learning.split", "system.privacy.epsilon", "learning.privacy.type", "seed")
    assert [called(key) for key in keys] == ["graph", "split", "ε", "noise", "seed"]


def test_a_kind_of_noise_that_is_not_there_is_named(tmp_path: Path) -> None:
    kinds = {"system.privacy.type": "none", "learning.privacy.type": "none"}
    assert [part(key, kinds) for key in kinds] == ["no noise", "no DP-SGD"]
    assert part("system.privacy.type", {"system.privacy.type": "gaussian"}) == "Gaussian noise"


def test_a_further_setting_is_named_only_where_those_before_it_do_not_suffice(tmp_path: Path) -> None:
    runs = [
        run_with(tmp_path / f"{scheme}-{rho}", f'visibility = {rho}\n[system.scheme]\ntype = "{scheme}"')
        for scheme, rho in (("plain", 0.5), ("elgamal", 0.5), ("elgamal", 0.75))
    ]
    assert labels(runs[:2]) == ["plain", "elgamal"]
    assert labels(runs) == ["plain", "elgamal", "elgamal, visibility 0.75"]


def test_what_is_as_in_most_runs_goes_without_saying(tmp_path: Path) -> None:
    def built(scheme: str, block: int) -> Run:
        folder = tmp_path / f"{scheme}-{block}"
        return run_with(folder, f'block = {block}\n[system.scheme]\ntype = "{scheme}"')

    runs = [built("plain", 1), built("plain", 8), built("elgamal", 1)]
    assert labels(runs) == ["plain", "plain, block 8", "elgamal"]
    # Of two one is no more usual than the other.
    assert labels(runs[:2]) == ["block 1", "block 8"]


def test_a_seed_is_named_only_if_nothing_else_tells_apart(tmp_path: Path) -> None:
    def seeded(seed: int, settings: str = "") -> Run:
        run = run_with(tmp_path / f"{seed} {settings}", settings)
        return replace(run, settings={**run.settings, "seed": seed})

    assert labels([seeded(1), seeded(2)]) == ["seed 1", "seed 2"]
    assert labels([seeded(1, "window = 1"), seeded(2, "window = 2")]) == ["window 1", "window 2"]


def test_a_name_stays_where_only_some_runs_share_it(tmp_path: Path) -> None:
    runs = [run_with(tmp_path / str(n), f"block = {n}") for n in (1, 2)]
    runs.append(read_run(make_run(tmp_path / "mnist", name="mnist")))
    assert labels(runs) == ["digits, block 1", "digits, block 2", "mnist"]


def test_runs_of_one_file_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / folder)) for folder in ("1-digits", "2-digits")]
    assert labels(runs) == ["1-digits", "2-digits"]


def test_one_run_given_twice_is_told_apart_by_number(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "digits"))
    assert labels([run, run]) == ["digits-coordinated #1", "digits-coordinated #2"]


def test_only_what_is_alike_in_all_settings_is_called_by_its_folder(tmp_path: Path) -> None:
    runs = [run_with(tmp_path / f"{n}-digits", "block = 1") for n in (1, 2)]
    runs.append(run_with(tmp_path / "3-digits", "block = 4"))
    runs.append(read_run(make_run(tmp_path / "4-mnist", name="mnist")))
    assert labels(runs) == ["1-digits", "2-digits", "digits, block 4", "mnist"]


def test_an_experiment_that_was_run_once_is_called_by_its_name_alone(tmp_path: Path) -> None:
    runs = [run_with(tmp_path / str(n), f"block = {n}") for n in (1, 2)]
    other = read_run(make_run(tmp_path / "mnist", name="mnist"))
    runs.append(replace(other, settings={**other.settings, "workers": 99}))
    assert labels(runs)[2] == "mnist"


@pytest.mark.parametrize("status", ["interrupted", "failed", "unfinished"])
def test_a_label_says_that_a_run_did_not_complete(tmp_path: Path, status: str) -> None:
    assert labels([run_with(tmp_path / "run", status=status)]) == [f"digits ({status})"]


def test_a_simulation_beside_a_real_run_is_called_so(tmp_path: Path) -> None:
    real, simulated = (run_with(tmp_path / kind, clock=kind) for kind in ("wall", "virtual"))
    assert labels([real, simulated]) == ["digits", "digits (simulated)"]
    assert labels([simulated]) == ["digits"]


def test_the_clock_is_told_unless_it_is_that_on_the_wall(tmp_path: Path) -> None:
    real, simulated = (run_with(tmp_path / kind, clock=kind) for kind in ("wall", "virtual"))
    assert clock([real]) == ""
    assert clock([simulated]) == "simulated time"
    assert clock([real, simulated]) == "simulated time where so named"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=6))
def test_no_two_runs_are_called_alike(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[bool, int, int]]
) -> None:
    place = tmp_path_factory.mktemp("runs")
    runs = [
        run_with(
            place / str(number),
            f"block = {block}\nwindow = {window}",
            clock="virtual" if virtual else "wall",
        )
        for number, (virtual, block, window) in enumerate(kinds)
    ]
    assert len(set(labels(runs))) == len(runs)


def test_nested_tables_are_flattened() -> None:
    assert dict(flatten({"a": {"b": {"c": 1}, "d": 2}, "e": 3})) == {"a.b.c": 1, "a.d": 2, "e": 3}


def test_settings_that_vary_are_told_in_the_order_of_names() -> None:
    varied = {"epochs": 5, "learning.privacy.type": "dp-sgd", "system.privacy.type": "none", "workers": None}
    assert told(varied) == "dp-sgd, epochs 5"
    assert told({"system.privacy.epsilon": 10.0, "system.privacy.type": "laplace"}) == "Laplace noise, ε 10"


def test_of_a_kind_of_noise_that_all_have_nothing_is_told() -> None:
    assert told({"learning.privacy.type": "none"}) == "no DP-SGD"
