"""`mdl audit collusion` as a person meets it."""

from pathlib import Path

import pytest

from mdl.audit import audit as audits
from mdl.cli import main
from tests.test_cli import QUICKSTART, Ended

TOY = ["--set", "system.insecure=true", "--set", 'system.scheme={type="elgamal", group="insecure64"}']


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


def test_help_says_what_it_does_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "collusion", "--help")
    assert ended.code == 0
    assert "mdl audit collusion configs/quickstart.toml" in ended.out
    assert "Exit code 1" in ended.out


@pytest.mark.parametrize("system", ["coordinated", "dynamic"])
def test_a_safe_experiment_passes(capsys: pytest.CaptureFixture[str], system: str) -> None:
    ended = Ended(capsys, "audit", "collusion", QUICKSTART, "--set", f"system.type={system}", *TOY)
    assert ended.code == 0
    assert "opens worker 4 (sets" in ended.out
    assert "refused to open:" in ended.out
    assert "Every claim of docs/security.md that was tried holds." in ended.out


def test_the_printed_mode_is_attacked_with_success(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ["--set", "system.type=dynamic", "--set", "system.mode=paper"]
    ended = Ended(capsys, "audit", "collusion", QUICKSTART, *printed, *TOY)
    assert ended.code == 0
    assert "this experiment" in ended.out
    assert 'claims no protection for mode = "paper"' in ended.out


def test_the_counts_of_coalitions_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "collusion", QUICKSTART, *TOY)
    for cell in ("5/8", "4/8", "22/28", "52/52"):
        assert cell in ended.out


def test_a_broken_claim_ends_with_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits.Audit, "broken_claims", ["something: opens 1"])
    with pytest.raises(SystemExit) as caught:
        main(["audit", "collusion", QUICKSTART, *TOY])
    assert caught.value.code == 1
    assert "A CLAIM OF docs/security.md DOES NOT HOLD: something" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("file", "fits"),
    [
        ("ssddl.toml", "mdl audit inversion shows what the server's sums tell"),
        ("dmhe-ring.toml", "mdl audit topology finds the nodes that expose others"),
        ("mpc-quickstart.toml", "parties learn no gradient (docs/security.md#quantised-mpc)"),
    ],
)
def test_of_another_system_the_audit_that_fits_is_named(
    capsys: pytest.CaptureFixture[str], file: str, fits: str
) -> None:
    ended = Ended(capsys, "audit", "collusion", str(Path(QUICKSTART).with_name(file)))
    assert ended.code == 2
    assert f"{file}:" in ended.err
    assert "attacks ∝MDL ('coordinated' and 'dynamic')" in ended.err
    assert fits in ended.err
