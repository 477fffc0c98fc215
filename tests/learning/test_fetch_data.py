import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "fetch_data.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script and interpreter
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_the_help_shows_an_example() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert "fetch_data.py mnist cifar10 --into data" in shown.stdout


def test_an_unknown_set_is_refused_with_the_names_there_are() -> None:
    refused = run("imagenet")
    assert refused.returncode == 2
    assert "fashion-mnist" in refused.stderr
