from pathlib import Path
from typing import Any

import pytest

from mdl.report import units
from mdl.report.tables import comparison
from tests.report.run_folder import make_run, resummarise

LAPLACE = '[system.privacy]\ntype = "laplace"\nepsilon = 0.25\nclip = 0.5\n'
DP_SGD = '[learning.privacy]\ntype = "dp-sgd"\nepsilon = 8.0\nclip = 1.0\n'


def cells(folder: Path, settings: str = "", **summary: Any) -> dict[str, str]:
    """The rows on privacy of a run's page."""
    make_run(folder, epochs=1)
    with (folder / "experiment.toml").open("a") as file:
        file.write(settings)
    run = resummarise(folder, **summary)
    tables = {table.title: table for table in comparison([run], ["run"])}
    return {row[0]: row[1] for row in tables["Privacy"].rows} if "Privacy" in tables else {}


def test_what_contributions_have_spent_is_told_with_its_verdict(tmp_path: Path) -> None:
    said = "ε = 10,845 (added up plainly): a noise level, not a guarantee"
    spent = {"noise": {"epsilon_parameter_epoch": 0.25, "said": said, "clipped_share": 0.0173}}
    assert cells(tmp_path / "run", LAPLACE, privacy=spent) == {
        "noise on what is contributed": "laplace, clip 0.5",
        "ε a parameter and epoch": "0.25",
        "all that a worker contributed": said,
        "contributed values clipped": units.percent(0.0173),
    }


def test_what_records_have_spent_is_told_with_delta_and_epochs(tmp_path: Path) -> None:
    spent = {"records": {"epsilon": 10.39, "delta": 1e-5, "epochs": 6}}
    assert cells(tmp_path / "run", DP_SGD, privacy=spent) == {
        "noise in local training": "dp-sgd, clip 1.0",
        "each record of a worker": "ε = 10.39, δ = 1e-05, 6 epochs",
    }


@pytest.mark.parametrize("found", [None, "none", [], {"noise": 3, "records": {"epsilon": float("inf")}}])
def test_a_run_without_noise_has_no_rows_on_it(tmp_path: Path, found: Any) -> None:
    assert cells(tmp_path / "run", privacy=found) == {}


def test_a_run_that_broke_off_still_says_what_noise_it_had(tmp_path: Path) -> None:
    assert cells(tmp_path / "run", LAPLACE + DP_SGD, privacy=None) == {
        "noise on what is contributed": "laplace, clip 0.5",
        "ε a parameter and epoch": "0.25",
        "noise in local training": "dp-sgd, clip 1.0",
    }
