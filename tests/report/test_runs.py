import math
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import MdlError
from mdl.report.runs import NotARun, read_run
from tests.report.run_folder import make_run, write_lines


def test_a_complete_run_is_read_without_a_fault(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", workers=5, epochs=12))
    assert run.faults == ()
    assert run.completed
    assert (run.name, run.epochs, run.summary.threshold) == ("digits-coordinated", 12, 3)
    assert run.settings["system"]["type"] == "coordinated"
    assert len(run.ledger) == 13 * 6


def test_a_folder_that_is_no_run_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(
        NotARun, match=r"no run folder: it has no experiment\.toml and no metrics\.jsonl or"
    ) as caught:
        read_run(tmp_path)
    assert isinstance(caught.value, MdlError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "comparison.csv").touch()
    with pytest.raises(NotARun, match=r"comparison\.csv is no run folder: it is a file$"):
        read_run(tmp_path / "comparison.csv")


def test_a_folder_of_experiment_files_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").touch()
    with pytest.raises(NotARun, match=r"it has no metrics\.jsonl or ledger\.jsonl or summary\.json$"):
        read_run(tmp_path)


def test_a_torn_last_line_is_left_out_and_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    whole = read_run(folder).metrics
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    run = read_run(folder)
    assert run.metrics == whole[:-1]
    assert [fault[:34] for fault in run.faults] == ["metrics.jsonl ends in a torn line "]


@given(cut=st.integers(0, 200))
def test_metrics_cut_anywhere_lose_at_most_the_line_of_the_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = make_run(tmp_path_factory.mktemp("runs") / "run", epochs=1, workers=2)
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:cut])
    whole = path.read_bytes().count(b"\n")
    run = read_run(folder)
    # A line cut just before its line feed is whole.
    assert whole <= len(run.metrics) <= whole + 1
    assert len(run.metrics) + len(run.faults) == len(path.read_bytes().splitlines())


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"party": 1}', '{"seconds": 1, "party": "x", "kind": "left"}', "\x00"]
)
def test_a_bad_line_in_the_middle_costs_only_itself(tmp_path: Path, line: str) -> None:
    folder = make_run(tmp_path / "run", epochs=1, workers=1)
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[1:]]))
    run = read_run(folder)
    assert len(run.metrics) == len(lines)
    assert len(run.faults) == 1
    assert run.faults[0].startswith("Line 2 of metrics.jsonl is unreadable")


def test_a_loss_that_is_no_number_is_read_as_such(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    diverged = {"seconds": 1.0, "party": 1, "kind": "trained", "epoch": 1, "loss": math.nan}
    write_lines(folder / "metrics.jsonl", [diverged])
    (metric,) = read_run(folder).metrics
    assert metric.loss is not None
    assert math.isnan(metric.loss)


def test_a_run_that_left_no_summary_is_unfinished(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "20250304-digits", epochs=4)
    (folder / "summary.json").unlink()
    run = read_run(folder)
    assert (run.summary.status, run.completed) == ("unfinished", False)
    assert (run.name, run.epochs) == ("20250304-digits", 4)
    assert run.faults == ("summary.json is missing.",)


def test_an_empty_summary_is_no_fault(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "summary.json").write_text("{}")
    assert read_run(folder).faults == ()


@pytest.mark.parametrize("name", ["summary.json", "environment.json"])
@pytest.mark.parametrize("content", [b"", b"[1]", b'{"name":', b"\xff\xfe"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = make_run(tmp_path / "run")
    (folder / name).write_bytes(content)
    assert [fault.startswith(f"{name} is unreadable") for fault in read_run(folder).faults] == [True]


def test_an_experiment_file_that_is_not_toml_is_still_shown(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "experiment.toml").write_text("workers = = 3")
    run = read_run(folder)
    assert run.experiment == "workers = = 3"
    assert run.faults[0].startswith("experiment.toml is not TOML")
