from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mdl.ledger import Traffic
from mdl.report import drawing
from mdl.report.bars import (
    MOST_KINDS,
    bytes_by_kind,
    contributions_by_worker,
    fold,
    time_by_activity,
)
from mdl.report.runs import Run, read_run
from mdl.report.series import Flow
from tests.report.run_folder import make_run, resummarise, traffic, write_lines


def sizes(*runs: Run) -> str:
    with drawing.theme():
        picture = bytes_by_kind(runs)
    return picture.svg if picture else ""


def times(*runs: Run) -> str:
    with drawing.theme():
        picture = time_by_activity(runs)
    return picture.svg if picture else ""


def test_each_kind_of_message_has_a_bar_with_its_size(tmp_path: Path) -> None:
    svg = sizes(read_run(make_run(tmp_path / "run", workers=5, epochs=12)))
    assert ">Upload<" in svg
    assert ">52.0\u202fMB<" in svg
    assert ">sent by the manager<" in svg


def test_each_party_has_a_bar_with_the_time_it_was_busy(tmp_path: Path) -> None:
    svg = times(read_run(make_run(tmp_path / "run", workers=2, epochs=9, pace=1.0)))
    assert all(f">{party}<" in svg for party in ("manager", "worker 1", "worker 2"))
    assert ">6.40\u202fs busy<" in svg


def test_no_waiting_is_drawn_for_parties_that_listen_while_they_work(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    assert ">waiting<" in times(read_run(folder))
    assert ">waiting<" not in times(resummarise(folder, own_pace=True))


def test_several_runs_have_a_panel_each(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, name=name)) for name in ("one", "two")]
    for svg in (sizes(*runs), times(*runs)):
        assert ">one<" in svg
        assert ">two<" in svg


def test_a_longer_run_after_a_shorter_one_keeps_its_longest_bar(tmp_path: Path) -> None:
    short, long = (
        read_run(make_run(tmp_path / name, name=name, workers=5, epochs=epochs))
        for name, epochs in (("short", 1), ("long", 12))
    )
    for runs in ((short, long), (long, short)):
        assert ">52.0\u202fMB<" in sizes(*runs)


def test_a_run_without_a_ledger_leaves_its_panel_empty(tmp_path: Path) -> None:
    bare = make_run(tmp_path / "bare", name="bare")
    (bare / "ledger.jsonl").unlink()
    assert ">nothing recorded<" in sizes(read_run(bare), read_run(make_run(tmp_path / "full")))
    assert sizes(read_run(bare)) == times(read_run(bare)) == ""


def test_an_activity_nobody_foresaw_has_a_colour_too(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    entry = {
        "party": 1,
        "epoch": 1,
        "sent": {"Hello": traffic(1, 0)},
        "seconds": {"dreaming": 3.0, "waiting": 1.0},
    }
    write_lines(folder / "ledger.jsonl", [entry])
    run = read_run(folder)
    assert ">dreaming<" in times(run)
    assert ">Hello<" in sizes(run)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**9)), max_size=30))
def test_folding_kinds_loses_no_byte(counts: list[tuple[int, int]]) -> None:
    flows = [Flow(str(i), Traffic(*pair), Traffic(1, 7)) for i, pair in enumerate(counts)]
    folded = fold(flows)
    assert len(folded) <= MOST_KINDS + 1
    assert sum(flow.size_bytes for flow in folded) == sum(flow.size_bytes for flow in flows)


def contributions(*runs: Run) -> str:
    with drawing.theme():
        picture = contributions_by_worker(runs)
    return picture.svg if picture else ""


def test_each_worker_has_a_bar_with_what_was_taken_of_it(tmp_path: Path) -> None:
    fairness = {"jain": 0.6, "accepted": {"1": 1200, "2": 0, "3": 34}}
    svg = contributions(resummarise(make_run(tmp_path / "run"), fairness=fairness))
    assert all(f">{worker}<" in svg for worker in ("worker 1", "worker 2", "worker 3"))
    assert all(f">{count}<" in svg for count in ("1\u202f200", "0", "34"))


def test_a_run_that_counted_no_contributions_has_no_panel_beside_one_that_did(tmp_path: Path) -> None:
    fairness = {"jain": 1.0, "accepted": {"1": 3}}
    counted = resummarise(make_run(tmp_path / "counted", name="counted"), fairness=fairness)
    svg = contributions(counted, read_run(make_run(tmp_path / "other", name="other")))
    assert ">3<" in svg
    assert "nothing recorded" not in svg
    assert ">other<" not in svg


def test_where_no_run_counted_contributions_there_is_no_plot_of_them(tmp_path: Path) -> None:
    assert contributions(read_run(make_run(tmp_path / "run"))) == ""


def test_bars_of_a_simulation_say_whose_time_they_show(tmp_path: Path) -> None:
    run = resummarise(make_run(tmp_path / "run"), clock="virtual")
    assert "seconds, simulated time, activities added up" in times(run)
    assert "simulated time" in sizes(run)
