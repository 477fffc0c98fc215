import subprocess
import sys
from pathlib import Path

import pytest

from mdl.report import write_report
from mdl.report.runs import NotARun
from tests.report.run_folder import make_run

PLOTS = ["report-accuracy-epochs.png", "report-accuracy-time.png", "report-bytes.png", "report-time.png"]


def test_a_report_is_a_page_and_its_plots(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=2)
    written = write_report([folder], folder)
    assert written == [folder / name for name in ["report.html", *PLOTS]]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in PLOTS)
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob(".*"))


def test_a_report_on_several_runs_goes_to_a_folder_of_its_own(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, name=name, epochs=2) for name in ("one", "two")]
    write_report(runs, tmp_path / "reports" / "both")
    assert "2 runs side by side" in (tmp_path / "reports" / "both" / "report.html").read_text(
        encoding="utf-8"
    )


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=2)
    (folder / "report.html").write_text("old")
    write_report([folder], folder)
    first = (folder / "report.html").read_bytes()
    write_report([folder], folder)
    assert first != b"old"
    assert (folder / "report.html").read_bytes() == first


def test_nothing_is_written_when_one_folder_is_no_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=2)
    (tmp_path / "other").mkdir()
    with pytest.raises(NotARun):
        write_report([folder, tmp_path / "other"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_importing_the_package_does_not_import_matplotlib() -> None:
    program = "import sys, mdl.report; sys.exit('matplotlib' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603


def test_a_report_uses_no_pyplot() -> None:
    program = "import sys, mdl.report.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603
