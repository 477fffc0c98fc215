import re
from pathlib import Path

import pytest

from mdl.report import drawing
from mdl.report.lines import accuracy_over_epochs, accuracy_over_time
from mdl.report.runs import Run, read_run
from tests.report.run_folder import accuracy, evaluated, make_run, resummarise, write_lines


def over_epochs(*runs: Run) -> str:
    with drawing.theme():
        picture = accuracy_over_epochs(runs)
    return picture.svg if picture else ""


def over_time(*runs: Run) -> str:
    with drawing.theme():
        picture = accuracy_over_time(runs)
    return picture.svg if picture else ""


def test_a_run_shows_what_its_models_reached_next_to_their_lines(tmp_path: Path) -> None:
    svg = over_epochs(read_run(make_run(tmp_path / "run", epochs=5)))
    assert f"global  {100 * accuracy(5):.1f}" in svg
    assert "workers' own (mean)  " in svg
    assert "trained alone (mean)  86.1" in svg


def test_without_a_global_model_the_workers_mean_is_the_line(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_lines(
        folder / "metrics.jsonl",
        [evaluated(e, w, e, "own", 0.1 * e + 0.2 * w) for e in (1, 2) for w in (1, 2)],
    )
    svg = over_epochs(read_run(folder))
    assert "workers' own (mean)  50.0" in svg
    assert "global" not in svg


def test_a_model_scored_in_every_epoch_is_a_line_even_if_it_is_only_a_reference(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_lines(folder / "metrics.jsonl", [evaluated(e, 1, e, "pooled", 0.3 * e) for e in (1, 2, 3)])
    assert "data pooled  90.0" in over_epochs(read_run(folder))


def test_workers_scored_alone_after_as_many_epochs_as_each_made_give_one_level(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    shared = [evaluated(epoch, 0, epoch, "global", 0.5) for epoch in (1, 2)]
    alone = [evaluated(9, worker, 10 * worker, "alone", 0.3 * worker) for worker in (1, 2, 3)]
    write_lines(folder / "metrics.jsonl", [*shared, *alone])
    assert "trained alone (mean)  60.0" in over_epochs(read_run(folder))


def test_a_single_epoch_is_drawn_as_a_point(tmp_path: Path) -> None:
    svg = over_epochs(read_run(make_run(tmp_path / "run", epochs=1)))
    assert svg
    assert re.findall(r">([\d.]+)</text>", svg) == ["1"]  # the horizontal axis; the other one is in per cent


def test_levels_alone_are_no_plot(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_lines(folder / "metrics.jsonl", [evaluated(9, w, 3, "alone", 0.5) for w in (1, 2)])
    run = read_run(folder)
    assert over_epochs(run) == over_time(run) == ""


def test_several_runs_are_named_with_what_each_reached(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, name=name, epochs=3)) for name in ("one", "two")]
    svg = over_epochs(*runs)
    assert all(f"{name}  {100 * accuracy(3):.1f}" in svg for name in ("one", "two"))


def test_a_run_that_failed_says_so_in_the_plot(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / s, name=s, epochs=2, status=s)) for s in ("completed", "failed")]
    assert "failed (failed)" in over_epochs(*runs)


def test_twenty_runs_fit_into_one_plot(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", epochs=2))
    assert "digits-coordinated #20" in over_epochs(*[run] * 20)


@pytest.mark.parametrize(("pace", "logarithmic"), [(0.01, True), (2.0, False)])
def test_runs_of_very_different_length_share_a_logarithmic_time_axis(
    tmp_path: Path, pace: float, logarithmic: bool
) -> None:
    slow = read_run(make_run(tmp_path / "slow", pace=30.0, epochs=3))
    quick = read_run(make_run(tmp_path / "quick", pace=pace, epochs=3))
    assert ("logarithmic" in over_time(slow, quick)) is logarithmic


def test_an_hour_is_shown_in_minutes(tmp_path: Path) -> None:
    assert "minutes since" in over_time(read_run(make_run(tmp_path / "run", pace=360, epochs=10)))


def test_simulated_time_is_called_so_in_every_plot(tmp_path: Path) -> None:
    real = read_run(make_run(tmp_path / "real"))
    simulated = resummarise(make_run(tmp_path / "simulated"), clock="virtual")
    for plot in (over_epochs, over_time):
        assert "simulated time" in plot(simulated)
        assert "simulated" not in plot(real)
        assert "simulated time where so named" in plot(real, simulated)
        assert "(simulated)  " in plot(real, simulated)


def test_workers_at_their_own_pace_are_thin_lines_with_their_last_mean(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=3)
    own = [evaluated(9, worker, 10 * worker, "own", 0.2 * worker) for worker in (1, 2, 3)]
    shared = [evaluated(epoch, 0, epoch, "global", 0.5) for epoch in (1, 2, 3)]
    write_lines(folder / "metrics.jsonl", [*shared, *own])
    run = resummarise(folder, own_pace=True)
    for plot in (over_epochs, over_time):
        assert "workers' own (mean)  40.0" in plot(run)
