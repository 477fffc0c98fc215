"""The command line as a person meets it: help, errors in words, exit codes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mdl.cli import main
from mdl.cli.commands import unwrap
from mdl.cli.runs import _sum_up
from mdl.errors import MdlError
from mdl.folder import FileJournal, locked
from mdl.tables import saturation_warning
from tests.test_tables import SUMMARY

QUICKSTART = str(Path(__file__).parent.parent / "configs" / "quickstart.toml")
SMULE = str(Path(__file__).parent.parent / "configs" / "smule-quickstart.toml")
FEDAVG = str(Path(__file__).parent.parent / "configs" / "fedavg.toml")

COMMANDS = [
    *(
        "run",
        "check",
        "simulate",
        "sweep",
        "compare",
        "report",
        "list",
        "keys deal",
        "audit collusion",
        "audit inversion",
    ),
    *("audit membership", "audit poisoning", "audit opinions", "node"),
    *("bench schemes", "bench exchange"),
]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns, no colours, no data folder."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MDL_DATA", raising=False)


class Ended:
    """What a command said, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        self.code = caught.value.code or 0
        self.out, self.err = capsys.readouterr()


# ---------------------------------------------------------------------------------------------------------
# help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    ended = Ended(capsys, *command.split(), "--help")
    assert ended.code == 0
    lines = [line.strip() for line in ended.out.splitlines()]
    [heading] = [number for number, line in enumerate(lines) if line in ("Example:", "Examples:")]
    first = lines[heading + 1]
    assert first.startswith("mdl keys deal" if command == "node" else f"mdl {command} ")
    assert max(map(len, ended.out.splitlines())) <= 80


def test_paragraphs_of_help_break_where_the_terminal_ends(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.rstrip() for line in Ended(capsys, "compare", "--help").out.splitlines()]
    assert " and the seed; --set changes a key in all of them. How they train may differ," in lines
    assert "   mdl compare configs/fedavg.toml configs/ssddl.toml configs/dmhe-ring.toml" in lines


def test_joining_lines_leaves_paragraphs_and_examples() -> None:
    assert unwrap("One\ntwo.\n\nThree\nfour.\n\nExamples:\n  mdl a\n  mdl b") == (
        "One two.\n\nThree four.\n\nExamples:\n  mdl a\n  mdl b"
    )


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    out = Ended(capsys, "-h").out
    assert all(f"│ {command.split()[0]} " in out for command in COMMANDS)


def test_no_command_gives_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys)
    assert "Usage: mdl" in ended.out + ended.err


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "frobnicate")
    assert ended.code == 2
    assert "No such command" in ended.err


# ---------------------------------------------------------------------------------------------------------
# errors


def test_a_wrong_file_ends_with_code_2_and_all_problems_in_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('name = "x"\nworkers = "8"\nepochs = 1\n[sytem]\ntype = "coordnated"\nthreshold = 3')
    ended = Ended(capsys, "check", str(path))
    assert ended.code == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert lines[0] == f"mdl: ConfigError: {path}:"
    assert [line.partition(":")[0] for line in lines[1:]] == ["  sytem", "  system.type", "  workers"]


@pytest.mark.parametrize("command", ["run", "check", "simulate", "keys deal --out keys"])
def test_every_command_with_a_file_names_the_missing_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = Ended(capsys, *command.split(), "nowhere.toml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "mdl: ConfigError: nowhere.toml:\n  there is no such file\n"
    assert list(tmp_path.iterdir()) == []


def test_a_run_needs_a_file_or_a_folder_to_resume_and_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "run")
    assert ended.code == 2
    assert ended.err.endswith("give an experiment file, or --resume with a run's folder\n")
    ended = Ended(capsys, "run", QUICKSTART, "--resume", "x")
    assert ended.code == 2
    assert "or --resume with a run's folder, not both" in ended.err


@pytest.mark.parametrize("place", ["elsewhere", "runs"])
def test_a_resumed_run_has_its_folder_and_takes_no_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    ended = Ended(capsys, "run", "--resume", str(tmp_path), "--out", place)
    assert ended.code == 2
    assert "a run goes on in its own folder: give --resume without --out" in ended.err


def test_only_a_runs_folder_can_be_resumed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = Ended(capsys, "run", "--resume", str(tmp_path))
    assert ended.code == 2
    assert "is no run's folder" in ended.err
    ended = Ended(capsys, "run", "--resume", str(tmp_path / "nowhere"))
    assert ended.code == 2
    assert "there is no such folder" in ended.err


def test_resuming_what_has_no_checkpoint_leaves_the_folder_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = Path(QUICKSTART).read_text()
    (tmp_path / "experiment.toml").write_text(text)
    ended = Ended(capsys, "run", "--resume", str(tmp_path))
    assert ended.code == 1
    assert "nothing to resume" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"experiment.toml", ".lock"}
    assert (tmp_path / "experiment.toml").read_text() == text


def test_a_run_that_goes_on_is_not_touched_by_who_would_resume_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = Path(QUICKSTART).read_text()
    (tmp_path / "experiment.toml").write_text(text)
    for party in range(9):
        FileJournal(tmp_path, party).write("model", 1, {"parameters": np.zeros(1)})
    with locked(tmp_path):
        ended = Ended(capsys, "run", "--resume", str(tmp_path), "--set", "epochs=50")
    assert ended.code == 1
    assert "in use by another process" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"experiment.toml", ".lock", "checkpoints"}
    assert (tmp_path / "experiment.toml").read_text() == text


@pytest.mark.parametrize(
    "command",
    [
        f"run {QUICKSTART}",
        f"simulate {QUICKSTART}",
        f"sweep {QUICKSTART} --grid seed=1",
        f"compare {QUICKSTART} {FEDAVG}",
        "report nowhere",
        "reproduce theorem-1",
        f"keys deal {QUICKSTART}",
        f"audit inversion {QUICKSTART}",
        f"audit membership {QUICKSTART}",
        f"audit poisoning {QUICKSTART}",
        f"audit opinions {QUICKSTART}",
        "bench schemes",
        "bench exchange",
        f"node {QUICKSTART} --party 0 --keys nowhere --sockets nowhere",
    ],
)
def test_a_file_is_no_place_for_results_and_every_command_says_so_alike(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    said = f"{file} is a file, and a folder is needed: name another place, or move the file away\n"
    for place, before in ((file, ""), (file / "deep", f"cannot make {file / 'deep'}: ")):
        ended = Ended(capsys, *command.split(), "--out", str(place))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"mdl: ConfigError: --out:\n  {before}{said}"


def test_a_default_place_that_is_a_file_is_refused_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reproduction").touch()
    ended = Ended(capsys, "reproduce", "theorem-1", "--quick")
    assert ended.code == 2
    assert "cannot make reproduction/quick: reproduction is a file" in ended.err


def test_a_report_of_no_run_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = Ended(capsys, "report", str(tmp_path))
    assert ended.code == 1
    assert f"{tmp_path} is no run folder" in ended.err
    ended = Ended(capsys, "report", str(tmp_path / "nowhere"))
    assert ended.code == 1
    assert ended.err.endswith("nowhere is no run folder: there is no such folder\n")


def test_a_report_that_cannot_be_written_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "experiment.toml").write_text(Path(QUICKSTART).read_text())
    (run / "metrics.jsonl").touch()
    ended = Ended(capsys, "report", str(run), "--out", str(tmp_path / ("long" * 100)))
    assert ended.code == 1
    assert "cannot write the report into" in ended.err


def test_how_to_go_on_is_said_before_the_report_is_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stopped = {**SUMMARY, "status": "interrupted", "reason": "stopped by the user", "exit_code": 130}
    with pytest.raises(MdlError, match="is no run folder"):
        _sum_up(stopped, tmp_path, report=True)
    assert capsys.readouterr().err.splitlines() == [
        "mdl: warning: " + str(saturation_warning(stopped)),
        "mdl: interrupted: stopped by the user",
        f"mdl: go on with: mdl run --resume {tmp_path}",
    ]


def test_a_full_disk_is_told_without_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mdl", "list", "systems"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert ended.returncode
    assert ended.stderr.startswith("mdl: MdlError: cannot write: No space left on device\n")


def test_an_unknown_list_is_refused_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "list", "scheme")
    assert ended.code == 2
    assert "did you mean schemes?" in ended.err


def test_a_model_that_cannot_be_made_is_blamed_on_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "check", QUICKSTART, "--set", "learning.model=nowhere:Net")
    assert ended.code == 2
    assert f"{QUICKSTART}:\n  learning.model: nowhere:Net gives no model" in ended.err


def test_a_network_that_cannot_be_asked_makes_the_file_no_valid_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = ("--set", "learning.model=digits-mlp", "--set", "system.randomness=encryption")
    ended = Ended(capsys, "check", SMULE, *changes)
    assert ended.code == 2
    assert "learning.model: it compares" in ended.err
    assert "valid" not in ended.out


@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("mnist", "mnist is to be read from disk"),
        ("mine.npz", "mine.npz does not exist (looked for is "),
    ],
)
def test_data_that_is_missing_is_refused_by_name_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    command: str,
    dataset: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = Ended(
        capsys, command, QUICKSTART, "--set", f"learning.dataset={dataset}", "--set", "learning.model=mlp"
    )
    assert ended.code == 1
    assert f"DataUnavailable: {said}" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_party_that_is_not_there_cannot_be_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = str(tmp_path)
    ended = Ended(
        capsys, "node", QUICKSTART, "--party", "9", "--keys", place, "--sockets", place, "--out", place
    )
    assert ended.code == 2
    assert "--party 9: this experiment has no worker 9" in ended.err


# ---------------------------------------------------------------------------------------------------------
# what goes well


def test_checking_explains_and_says_valid(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "check", QUICKSTART)
    assert (ended.code, ended.err) == (0, "")
    assert "128 bits of security" in ended.out
    assert ended.out.rstrip().endswith("The file is valid.")


def test_what_a_new_type_drops_is_noted_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "check", QUICKSTART, "--set", "system.type=fedavg")
    assert ended.code == 0
    assert ended.err.startswith("mdl: note: system.type is now 'fedavg': dropped system.visibility,")
    assert ended.err.count("\n") == 1
    assert "Nothing is hidden" in ended.out


def test_the_seed_option_and_the_key_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert "seed 7." in Ended(capsys, "check", QUICKSTART, "--seed", "7").out.replace("\n", " ")
    ended = Ended(capsys, "check", QUICKSTART, "--seed", "7", "--set", "seed=8")
    assert ended.code == 2


def test_an_insecure_experiment_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "check", QUICKSTART, "--set", "system.insecure=true")
    assert ended.code == 0
    assert "warning: system.insecure = true" in ended.err


def test_a_model_of_ones_own_is_imported_from_where_the_command_is_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_networks_for_a_test.py").write_text(
        "from torch import nn\ndef tiny(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in __import__("sys").path if path])
    ended = Ended(capsys, "check", QUICKSTART, "--set", "learning.model=my_networks_for_a_test:tiny")
    assert ended.code == 0, ended.err
    assert "(650 parameters)" in ended.out.replace("\n", " ")


def test_a_simulation_shows_its_progress_and_leaves_a_folder_with_a_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plain = ("--set", "system.scheme.type=plain", "--set", "alone=false", "--set", "epochs=1")
    ended = Ended(
        capsys, "simulate", QUICKSTART, *plain, "--training-seconds", "60", "--out", str(tmp_path / "runs")
    )
    assert ended.code == 0
    assert "epoch 1/1, test accuracy" in ended.out
    assert "quickstart: completed, in simulated time" in ended.out
    assert "│ 1 min 00 s (" in ended.out
    [run] = (tmp_path / "runs").iterdir()
    assert {"summary.json", "environment.json", "experiment.toml", "report.html"} <= {
        path.name for path in run.iterdir()
    }


def test_lists_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "list", "schemes")
    assert (ended.code, ended.err) == (0, "")
    assert "elgamal" in ended.out


def test_dealt_keys_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    ended = Ended(capsys, "keys", "deal", QUICKSTART, "--out", str(folder), "--set", "workers=6")
    assert ended.code == 0
    assert ended.out.splitlines() == [str(folder / f"party-{party}.key") for party in range(7)]
