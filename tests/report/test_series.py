from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.ledger import Traffic
from mdl.report import series
from mdl.report.runs import Run, read_run
from mdl.report.series import Point
from tests.report.run_folder import accuracy, evaluated, make_run, resummarise, write_lines

heights = st.floats(0, 1)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "run", workers=3, epochs=4))


def test_the_global_curve_has_a_point_an_epoch(run: Run) -> None:
    curve = series.global_curve(run)
    assert [point.epoch for point in curve] == [1, 2, 3, 4]
    assert curve[-1].accuracy == pytest.approx(accuracy(4))


def test_each_worker_has_its_own_curve(run: Run) -> None:
    assert list(series.curves(run, "own")) == [1, 2, 3]


def test_of_an_epoch_scored_twice_the_later_score_counts(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    scores = [evaluated(1, 0, 1, "global", 0.5), evaluated(9, 0, 1, "global", 0.7)]
    write_lines(folder / "metrics.jsonl", scores)
    assert [point.accuracy for point in series.global_curve(read_run(folder))] == [0.7]


def test_an_accuracy_that_is_no_number_is_no_point(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_lines(folder / "metrics.jsonl", [evaluated(1, 0, 1, "global", float("nan"))])
    assert series.global_curve(read_run(folder)) == ()


@given(st.lists(heights, min_size=1, max_size=9))
def test_a_mean_lies_between_the_worst_and_the_best(scores: list[float]) -> None:
    (sums,) = series.spread([[Point(1, 2.0, score)] for score in scores])
    assert (sums.low, sums.high) == (min(scores), max(scores))
    assert sums.low - 1e-12 <= sums.mean <= sums.high + 1e-12


def test_workers_scored_in_different_epochs_are_summed_up_where_they_were_scored() -> None:
    sums = series.spread([[Point(1, 1.0, 0.2), Point(2, 2.0, 0.4)], [Point(2, 4.0, 0.6)]])
    assert [(each.epoch, each.seconds, each.mean) for each in sums] == [(1, 1.0, 0.2), (2, 3.0, 0.5)]


def test_each_message_is_counted_once_by_its_sender(run: Run) -> None:
    flows = {flow.kind: flow for flow in series.flows(run)}
    # 4 epochs and the set-up, 3 workers.
    assert flows["Upload"].up == Traffic(4 * 5 * 3, 800_000 * 5 * 3)
    assert flows["Upload"].down == Traffic()
    assert flows["Download"].down == Traffic(2 * 5 * 3, 310_000 * 5 * 3)
    assert flows["Download"].up == Traffic()


def test_the_kind_with_most_bytes_comes_first(run: Run) -> None:
    sizes = [flow.size_bytes for flow in series.flows(run)]
    assert sizes == sorted(sizes, reverse=True)


def test_time_is_summed_up_over_epochs(run: Run) -> None:
    spent = series.time_spent(run)
    assert list(spent) == [0, 1, 2, 3]
    assert spent[2]["cryptography"] == pytest.approx(0.4 * 4.0 * 5)


def test_known_activities_come_first_and_idle_ones_not_at_all() -> None:
    assert series.activities([{"zeal": 1.0, "waiting": 1.0}, {"training": 2.0, "evaluation": 0.0}]) == [
        "training",
        "waiting",
        "zeal",
    ]


def test_an_epoch_row_puts_together_what_was_recorded_of_it(run: Run) -> None:
    row = series.epoch_rows(run)[1]
    assert (row.epoch, row.seconds, row.opened, row.missed, row.present) == (2, 10.0, 96, 1, 3)
    assert row.score is not None
    assert row.own is not None
    assert row.own.low < row.own.mean < row.own.high


def test_workers_at_their_own_pace_beside_a_global_model_are_not_summed_up_by_epoch(tmp_path: Path) -> None:
    run = resummarise(make_run(tmp_path / "run", epochs=3), own_pace=True)
    assert series.own_spread(run) == ()
    assert [row.own for row in series.epoch_rows(run)] == [None] * 3
    assert series.main_curve(run) == series.global_curve(run)
    last = series.last_own(run)
    assert last is not None
    assert last.low < last.mean < last.high


def test_without_a_global_model_workers_at_their_own_pace_are_all_there_is(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_lines(
        folder / "metrics.jsonl", [evaluated(e, w, e, "own", 0.1 * w) for e in (1, 2) for w in (1, 3)]
    )
    run = resummarise(folder, own_pace=True)
    assert [point.accuracy for point in series.main_curve(run)] == pytest.approx([0.2, 0.2])


def test_an_accuracy_is_reached_when_it_is_first_scored(run: Run) -> None:
    reached = [series.seconds_to(run, accuracy(epoch)) for epoch in (1, 2, 3, 4)]
    assert reached == [6.0, 10.0, 14.0, 18.0]
    assert series.seconds_to(run, 1.0) is None


def test_every_run_reaches_the_common_target(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / str(epochs), epochs=epochs)) for epochs in (1, 2, 6)]
    target = series.common_target(runs)
    assert target is not None
    assert target == pytest.approx(accuracy(1) - 0.01)
    assert None not in [series.seconds_to(run, target) for run in runs]


def test_without_a_score_there_is_no_target(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "metrics.jsonl").write_text("")
    assert series.common_target([read_run(folder)]) is None


def test_accepted_contributions_come_in_the_order_of_the_workers(tmp_path: Path) -> None:
    fairness = {"jain": 1.0, "accepted": {"10": 1, "2": 2, "1": 3}}
    run = resummarise(make_run(tmp_path / "run"), fairness=fairness)
    assert list(series.accepted(run).items()) == [(1, 3), (2, 2), (10, 1)]


def test_an_epoch_takes_the_time_between_two_ends_whoever_says_so(tmp_path: Path) -> None:
    led = [{"seconds": 5.0 + 3.0 * epoch, "party": 0, "kind": "epoch", "epoch": epoch} for epoch in (1, 2, 4)]
    done = [{"seconds": 50.0, "party": 1, "kind": "done", "epoch": 4}]
    assert series.epoch_seconds(_of_metrics(tmp_path / "led", [*led, *done])) == 3.0
    ends = [(10.0, 1, 1), (12.0, 2, 1), (14.0, 1, 2), (15.0, 2, 2)]
    lone = [{"seconds": at, "party": party, "kind": "done", "epoch": epoch} for at, party, epoch in ends]
    assert series.epoch_seconds(_of_metrics(tmp_path / "lone", lone)) == 3.0


def test_a_single_epoch_has_no_length(tmp_path: Path) -> None:
    done = [{"seconds": 50.0, "party": 1, "kind": "done", "epoch": 1}]
    assert series.epoch_seconds(_of_metrics(tmp_path / "run", done)) is None


def _of_metrics(folder: Path, lines: Sequence[Mapping[str, Any]]) -> Run:
    make_run(folder)
    write_lines(folder / "metrics.jsonl", lines)
    return read_run(folder)
