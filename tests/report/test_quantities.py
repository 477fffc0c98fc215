from pathlib import Path
from typing import Any

import pytest

from mdl.report.quantities import ACCURACY, BYTES, EPSILON, EPSILON_PARAMETER, KEPT, SHOWN
from tests.report.run_folder import accuracy, make_run, resummarise


@pytest.mark.parametrize(
    ("privacy", "parameter", "total"),
    [
        (None, None, None),
        ("none", None, None),
        ({"epsilon": 3.0, "delta": 1e-5}, None, 3.0),
        ({"ldp": {"epsilon_parameter_epoch": 0.1, "epsilon_total": 900.0}}, 0.1, 900.0),
        ({"a": {"epsilon": 5.0}, "b": {"epsilon": 4}}, None, 4.0),
        ({"epsilon": float("inf"), "epsilon_parameter_epoch": True}, None, None),
    ],
)
def test_privacy_is_found_whatever_table_it_stands_in(
    tmp_path: Path, privacy: Any, parameter: float | None, total: float | None
) -> None:
    make_run(tmp_path / "run", epochs=1)
    run = resummarise(tmp_path / "run", privacy=privacy)
    assert run.summary.epochs == 1
    assert (EPSILON_PARAMETER.of(run), EPSILON.of(run)) == (parameter, total)


def test_the_epsilon_of_a_parameter_is_what_the_experiment_asked_for(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    with (folder / "experiment.toml").open("a") as file:
        file.write('[system.privacy]\ntype = "laplace"\nepsilon = 0.25\n')
    assert EPSILON_PARAMETER.of(resummarise(folder)) == 0.25


def test_a_run_that_ended_early_has_the_accuracy_it_had_reached(tmp_path: Path) -> None:
    make_run(tmp_path / "run", epochs=3)
    run = resummarise(tmp_path / "run", accuracy={}, bytes={}, seconds={}, epochs=None)
    assert ACCURACY.of(run) == pytest.approx(accuracy(3))
    assert BYTES.of(run) is None
    assert all(quantity.write(quantity.of(run)) for quantity in (*SHOWN, *KEPT))


def test_bytes_are_those_of_both_ways(tmp_path: Path) -> None:
    make_run(tmp_path / "run", epochs=1)
    assert BYTES.of(resummarise(tmp_path / "run")) == 73_000_000
