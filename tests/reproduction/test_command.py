"""``mdl reproduce`` as a person meets it: what it runs, keeps, shows, and how it ends."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mdl.cli import main
from mdl.errors import DataUnavailable, MdlError
from mdl.reproduction import command
from mdl.reproduction.catalogue import FIGURES, QUICK_MINUTES, chosen
from mdl.reproduction.command import Order, reproduce
from mdl.reproduction.figure import Data, Figure, Setting
from mdl.reproduction.results import keep, read
from tests.reproduction.sample import SAMPLE, failing


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back afterwards what the command sets."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["reproduce", *arguments])
    return int(caught.value.code or 0)


def ordered(out: Path, figures: Sequence[Figure], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(command, "FIGURES", {figure.name: figure for figure in figures})
    return reproduce(Order(figures, True, out, None, None))


def test_a_figure_runs_in_full_the_networks_that_are_asked_for(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def run(setting: Setting) -> Data:
        asked.append(setting.networks)
        return SAMPLE.run(setting)

    figure = replace(SAMPLE, run=run, networks=("one", "two"))
    for networks in (["two"], ["two"], ["one"], []):
        assert reproduce(Order([figure], False, tmp_path, None, None, networks)) == 0
    assert asked == [["two"], ["one"], []]
    assert reproduce(Order([figure], False, tmp_path, None, None, ["three"])) == 1


def test_every_figure_of_the_paper_is_listed_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert ended("--list") == 0
    _, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {"5a", "5b", "6", "7a", "7b", "8a", "8b", "9", "missing-rate", "theorem-1"} <= set(FIGURES)
    assert [(line[0], int(line[-1])) for line in lines[: len(FIGURES)]] == list(QUICK_MINUTES.items())
    assert list(QUICK_MINUTES) == list(FIGURES)


def test_of_a_figure_that_is_named_all_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("7a", "6", "--list") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("6", "7a"):
        figure = FIGURES[name]
        assert f"{name}: {figure.title}" in shown
        assert f"§{figure.section}: {figure.claim.partition(' ')[0]}" in shown
    assert "mlp-mnist, cnn-mnist" in shown
    assert FIGURES["5a"].title not in shown
    assert ended("5c", "--list") == 2


def test_without_a_figure_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--quick") == 2
    assert "5a, 5b" in capsys.readouterr().err


def test_a_figure_that_there_is_not_is_refused_before_any_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert ended("missing", "5a", "--quick", "--out", str(tmp_path / "new")) == 2
    assert "did you mean missing-rate?" in capsys.readouterr().err
    assert ended("8", "--quick") == 2
    assert "did you mean 8a or 8b?" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_all_means_every_figure_once_in_the_papers_order() -> None:
    assert list(chosen(["9", "all", "5a"])) == list(FIGURES.values())
    assert [figure.name for figure in chosen(["9", "5a"])] == ["5a", "9"]


def test_a_figure_leaves_data_a_plot_verdicts_and_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ordered(tmp_path, [SAMPLE], monkeypatch) == 0
    folder = tmp_path / "1"
    data = json.loads((folder / "data.json").read_text())
    assert data["quick"] is True
    assert {"processor", "date"} <= set(data["machine"])
    with (folder / "data.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["x", "y"], ["1", "1"], ["2", "4"], ["3", "9"]]
    assert (folder / "figure-1.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "checks.json").read_text())["checks"][0]["holds"] is True
    page = (tmp_path / "reproduction.html").read_text()
    assert "|it| rises &lt;b&gt;fast&lt;/b&gt;" in page
    assert "<svg" in page
    table = (tmp_path / "reproduction.md").read_text()
    assert "(1/figure-1.png)" in table
    assert data["machine"]["date"] in table
    assert r"| 1 | \|it\| rises <b>fast</b> | [1.0, 4.0, 9.0] | holds |" in table
    assert "holds" in capsys.readouterr().out


def test_what_was_run_is_not_run_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(tmp_path, [SAMPLE], monkeypatch)

    def never(_: Setting) -> Data:
        raise AssertionError

    assert ordered(tmp_path, [replace(SAMPLE, run=never)], monkeypatch) == 0
    assert f"remove {tmp_path / '1'} to run it again" in capsys.readouterr().err


def test_a_quick_figure_does_not_stand_for_a_full_one(tmp_path: Path) -> None:
    keep(SAMPLE, Data([{"x": 1, "y": 2.0}] * 3, {}, "measured"), tmp_path, quick=True)
    assert read(SAMPLE, tmp_path, quick=False) is None
    assert read(SAMPLE, tmp_path, quick=True) is not None


def test_a_shape_that_does_not_show_ends_with_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ordered(tmp_path, [SAMPLE, failing()], monkeypatch) == 1
    assert "does not hold" in capsys.readouterr().out
    assert "1 of 2 expected shapes hold; in 2 not all do" in (tmp_path / "reproduction.md").read_text()


def test_a_figure_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Setting) -> Data:
        raise DataUnavailable("there is no MNIST")

    assert ordered(tmp_path, [replace(SAMPLE, name="0", run=fails), SAMPLE], monkeypatch) == 1
    assert "there is no MNIST" in capsys.readouterr().err
    assert (tmp_path / "1" / "data.json").exists()


def test_ctrl_c_keeps_what_was_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: Setting) -> Data:
        raise KeyboardInterrupt

    assert ordered(tmp_path, [SAMPLE, replace(SAMPLE, name="3", run=pressed)], monkeypatch) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert "1 figure; 1 of 1" in (tmp_path / "reproduction.md").read_text()


def test_a_place_that_is_no_folder_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MdlError, match="cannot write into"):
        ordered(tmp_path / "file" / "x", [SAMPLE], monkeypatch)
