"""From run folders to a report: tables, plots, one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path


def write_report(runs: Sequence[Path], out: Path) -> list[Path]:
    """Read run folders and write `report.html` and `report-*.png` into the folder `out`.

    For several runs also `comparison.csv`, a line a run, and `comparison.json`; where they are of several
    experiments, `comparison.md` too, a table for documents. Each file appears whole or not at all; one from
    an earlier report is replaced.

    Args:
        runs: at least one; several are shown side by side, in this order. A folder of runs, such as a
            study's, stands for those in it.
        out: made if there is none. For a single run usually its own folder.

    Returns:
        The files written, the page first.

    Raises:
        NotARun: one of the folders is none that a run has left, nor a study's. Nothing is written then.
    """
    # Drawing takes half a second to import, which whoever only imports this package should not pay.
    from mdl.folder import write_atomically
    from mdl.report.comparing import as_csv, as_json
    from mdl.report.finding import find_runs
    from mdl.report.page import render
    from mdl.report.plots import draw_all
    from mdl.report.runs import read_run
    from mdl.report.systems import as_markdown, compares_systems

    assert runs
    read = [read_run(folder) for folder in find_runs(runs)]
    pictures = draw_all(read)
    files = {"report.html": render(read, pictures).encode()}
    files |= {f"report-{picture.name}.png": picture.png for picture in pictures}
    if len(read) > 1:
        files |= {"comparison.csv": as_csv(read), "comparison.json": as_json(read)}
    if compares_systems(read):
        files["comparison.md"] = as_markdown(read)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(out / name, content, shared=True)
    return [out / name for name in files]
