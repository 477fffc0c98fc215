from html.parser import HTMLParser
from pathlib import Path

import pytest

from mdl.report.page import render
from mdl.report.plots import draw_all
from mdl.report.runs import Run, read_run
from tests.report.run_folder import make_run, resummarise

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Checks that tags are balanced, and gathers the addresses and the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def page_of(*runs: Run) -> str:
    return render(runs, [])


def test_a_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / "run", epochs=2))]
    page = render(runs, draw_all(runs))
    reader = Reader(page)
    assert page.count("<svg") == 4
    assert "@import" not in page
    assert all(address.startswith("#") for address in reader.addresses)


def test_a_completed_run_has_a_badge_and_no_alarm(tmp_path: Path) -> None:
    page = page_of(read_run(make_run(tmp_path / "run")))
    assert '<span class="badge completed">completed</span>' in page
    assert 'role="alert"' not in page
    assert "<title>digits-coordinated</title>" in page


@pytest.mark.parametrize(("status", "ending"), [("failed", "failed"), ("interrupted", "was interrupted")])
def test_a_run_that_did_not_complete_is_unmistakable(tmp_path: Path, status: str, ending: str) -> None:
    page = page_of(read_run(make_run(tmp_path / "run", epochs=7, status=status)))
    assert f'<span class="badge {status}">{status}</span>' in page
    assert f"⚠ This run {ending} after epoch 7: too few workers remain (worker 2)." in page
    assert f"<title>{status.upper()} · digits-coordinated</title>" in page


def test_a_run_without_a_summary_is_called_unfinished_and_its_faults_are_told(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=7)
    (folder / "summary.json").unlink()
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    page = page_of(read_run(folder))
    assert '<span class="badge unfinished">unfinished</span>' in page
    assert "left no word of its end" in page
    assert "summary.json is missing." in page
    assert "metrics.jsonl ends in a torn line" in page
    assert "† The run" in page


def test_a_status_nobody_foresaw_is_shown_as_not_completed(tmp_path: Path) -> None:
    page = page_of(read_run(make_run(tmp_path / "run", status="bewitched")))
    assert '<span class="badge unfinished">bewitched</span>' in page
    assert "ended as “bewitched”" in page


def test_several_runs_stand_side_by_side_with_the_failed_one_marked(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / "a", name="one")),
        read_run(make_run(tmp_path / "b", name="two", workers=4, status="failed")),
    ]
    page = page_of(*runs)
    reader = Reader(page)
    assert "2 runs side by side" in reader.words
    assert '<th scope="col">two (failed)</th>' in page
    assert "workers" in reader.words
    assert page.count('role="alert"') == 2
    assert page.count("Experiment file, as resolved") == 2


def test_several_experiments_are_told_system_by_system_first(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, name=name)) for name in ("one", "two")]
    page = page_of(*runs)
    assert page.index("System by system") < page.index("Side by side")
    assert "who learns what" in page
    assert "Bytes an epoch: of all parties" in page


def test_of_a_comparison_over_seeds_every_experiment_is_shown_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"{name}-{seed}", name=name) for name in ("one", "two") for seed in (1, 2)]
    for run, seed in zip(runs, (1, 2, 1, 2), strict=True):
        path = run / "experiment.toml"
        path.write_text(path.read_text().replace("seed = 7", f"seed = {seed}"))
    page = page_of(*map(read_run, runs))
    assert page.count("Experiment file of the first run of one") == 1
    assert page.count("Experiment file of the first run of two") == 1
    assert "<summary>By setting" in page


def test_a_run_alone_is_not_told_system_by_system(tmp_path: Path) -> None:
    assert "System by system" not in page_of(read_run(make_run(tmp_path / "a")))


def test_what_a_run_holds_cannot_become_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    folder = make_run(tmp_path / "run", name=evil)
    runs = [read_run(folder)]
    page = render(runs, draw_all(runs))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_experiment_file_is_shown_as_it_is(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run"))
    assert run.experiment in "".join(Reader(page_of(run)).words)


def test_a_page_without_plots_says_why(tmp_path: Path) -> None:
    assert "nothing to plot" in page_of(read_run(make_run(tmp_path / "run")))


def test_a_page_on_a_simulation_says_whose_time_it_shows(tmp_path: Path) -> None:
    real = read_run(make_run(tmp_path / "real"))
    simulated = resummarise(make_run(tmp_path / "simulated"), clock="virtual")
    assert "All times here are simulated time" in page_of(simulated)
    assert "Times of what is called so are simulated time" in page_of(real, simulated)
    assert "simulated" not in page_of(real)


def test_contributions_have_a_table_and_a_plot_where_they_were_counted(tmp_path: Path) -> None:
    fairness = {"jain": 0.9, "accepted": {"1": 60, "2": 30}}
    runs = [resummarise(make_run(tmp_path / "run", epochs=2), fairness=fairness)]
    page = render(runs, draw_all(runs))
    assert page.count("<svg") == 5
    assert "<summary>Contributions taken</summary>" in page
