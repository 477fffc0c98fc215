from pathlib import Path
from typing import Any

import pytest

from mdl.report.quantities import (
    ACCURACY,
    BYTES,
    EPSILON_PARAMETER,
    EPSILON_RECORD,
    EPSILON_WORKER,
    KEPT,
    SHOWN,
)
from tests.report.run_folder import accuracy, make_run, resummarise


@pytest.mark.parametrize(
    ("privacy", "parameter", "worker", "record"),
    [
        (None, None, None, None),
        ("none", None, None, None),
        ({"noise": {"epsilon_parameter_epoch": 0.1, "epsilon": 900}}, 0.1, 900.0, None),
        ({"records": {"epsilon": 3.0, "delta": 1e-5}}, None, None, 3.0),
        ({"noise": {"epsilon": float("inf")}, "records": {"epsilon": True}}, None, None, None),
    ],
)
def test_each_promise_of_privacy_has_its_own_figure(
    tmp_path: Path, privacy: Any, parameter: float | None, worker: float | None, record: float | None
) -> None:
    make_run(tmp_path / "run", epochs=1)
    run = resummarise(tmp_path / "run", privacy=privacy)
    assert run.summary.epochs == 1
    found = (EPSILON_PARAMETER.of(run), EPSILON_WORKER.of(run), EPSILON_RECORD.of(run))
    assert found == (parameter, worker, record)


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


def test_a_large_epsilon_is_written_out() -> None:
    assert [EPSILON_WORKER.write(value) for value in (None, 2.5, 1_084_500.0)] == [
        "–",
        "2.5",
        "1\u202f084\u202f500",
    ]
