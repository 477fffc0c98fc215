from pathlib import Path

from mdl.report.plots import draw_all
from mdl.report.runs import read_run
from tests.report.run_folder import make_run


def test_a_run_has_four_plots(tmp_path: Path) -> None:
    pictures = draw_all([read_run(make_run(tmp_path / "run", epochs=2))])
    assert [picture.name for picture in pictures] == ["accuracy-epochs", "accuracy-time", "bytes", "time"]
    assert all(picture.caption.endswith(".") for picture in pictures)


def test_a_run_that_failed_at_the_start_has_none(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", status="failed")
    (folder / "metrics.jsonl").write_text("")
    (folder / "ledger.jsonl").write_text("")
    assert draw_all([read_run(folder)]) == []
