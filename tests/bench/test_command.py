"""``mdl bench`` as a person meets it: tables, files, refusals, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mdl.bench.schemes import Found, Size
from mdl.cli import main

SMALL = ("--parameters", "300", "--workers", "5", "--threshold", "3", "--runs", "1")


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["bench", *arguments])
    return int(caught.value.code or 0)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back afterwards what the command sets."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")


def test_tables_go_out_and_progress_goes_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("schemes", "--only", "pairwise", "--only", "float", *SMALL) == 0
    out, err = capsys.readouterr()
    assert "n = 5, m = 3, 300 parameters" in out
    assert "│ pairwise │" in out
    assert err.splitlines() == ["measuring pairwise ...", "measuring float32 ..."]


def test_a_folder_gets_figures_tables_and_a_plot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    assert ended("schemes", "--only", "plain", "--only", "float", *SMALL, "--out", str(out)) == 0
    assert sorted(path.name for path in out.iterdir()) == ["schemes.json", "schemes.md", "schemes.png"]
    written = json.loads((out / "schemes.json").read_text())
    assert [row["name"] for row in written["rows"]] == ["plain", "float32"]
    assert {"processor", "cores", "python", "packages", "date"} <= set(written["machine"])
    page = (out / "schemes.md").read_text()
    assert written["machine"]["processor"] in page
    assert "](schemes.png)" in page
    assert (out / "schemes.png").read_bytes().startswith(b"\x89PNG")
    assert str(out / "schemes.json") in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told_in_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert ended("schemes", "--only", "float", *SMALL, "--out", str(tmp_path / "file" / "x")) == 2
    assert "is a file, and a folder is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["schemes", "--threshold", "9"], "--threshold: m = 9 of 8 is never reached"),
        (["exchange", "--threshold", "9"], "--threshold: m = 9 of 8 is never reached"),
        (["schemes", "--scaling", "--threshold", "9"], "--threshold: m = 9 of 8 is never reached"),
        (["schemes", "--only", "rwle"], "did you mean rlwe"),
        (["exchange", "--scheme", "float32"], "'float32' begins none of elgamal-naive-256, elgamal-256,"),
        (["schemes", "--scaling", "--only", "rlwe"], "it does not go with --only"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert ended(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("command", "option"), [("schemes", "--only"), ("exchange", "--scheme")])
def test_where_all_is_refused_there_are_reasons_and_no_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, option: str
) -> None:
    size = ("--workers", "30", "--threshold", "15", "--parameters", "1000", "--out", str(tmp_path / "out"))
    assert ended(command, option, "prss", *size) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing was measured; not possible with n = 30, m = 15, 1,000 parameters:\n  prss: 77,558" in err
    assert not (tmp_path / "out").exists()


def test_each_help_names_the_files_that_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("exchange", "--help") == 0
    assert "JSON and Markdown" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ended("schemes", "--help") == 0
    assert "JSON, Markdown and plots" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_an_interruption_shows_what_there_is_and_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def nothing(names: object, size: Size, begins: object) -> Found:
        return Found(size, [], [], complete=False)

    monkeypatch.setattr("mdl.bench.schemes.measure_all", nothing)
    assert ended("schemes", "--out", str(tmp_path)) == 130
    assert "Broken off" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["schemes.json", "schemes.md"]


def test_the_command_line_itself_loads_no_numpy_so_that_one_thread_can_be_asked_for() -> None:
    code = "import sys, mdl.cli; sys.exit('numpy' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - our own command
    assert ended.returncode == 0
