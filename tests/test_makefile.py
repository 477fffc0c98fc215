"""The Makefile: what its targets call."""

import shutil
import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parent.parent / "Makefile"


def test_a_report_of_all_runs_takes_run_folders_and_not_what_it_wrote_there_before(tmp_path: Path) -> None:
    shutil.copy(MAKEFILE, tmp_path)
    for name in ("pyproject.toml", "constraints.txt", "scripts/bootstrap.py", "runs/one/experiment.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs" / "report.html").touch()
    (tmp_path / "runs" / "plots").mkdir()
    make = shutil.which("make")
    assert make
    called = subprocess.run(  # noqa: S603
        [make, "--dry-run", "report"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    # Called from another make, it also says which folder it leaves.
    assert ".venv/bin/mdl report runs/one/ --out runs" in called.stdout.splitlines()
