"""What a point's process does. Loaded once, by the forkserver: it brings in torch."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from mdl import folder as files
from mdl.board import Board
from mdl.config import Experiment, parse
from mdl.errors import MdlError
from mdl.launcher import launch
from mdl.progress import State
from mdl.rehearsal import Conditions, cast, rehearse
from mdl.simulator import Network
from mdl.studies.entry import Report
from mdl.studies.modes import Mode, Simulated
from mdl.studies.standing import LOG, POINT, foreign

PREDECESSOR_SECONDS: Final = 45.0
"""How long to wait for a process of a killed study that is still about to end: it has 30 s."""


def work(
    report: Report,
    *,
    tables: Mapping[str, Any],
    run: Path,
    mode: Mode,
    record: Mapping[str, Any],
    data_dir: Path | None,
) -> None:
    """Run a point afresh.

    Args:
        report: is told ``epoch``, ``epochs`` and ``accuracy`` at each epoch's end.
        tables: the experiment's.
        run: its folder; what an earlier attempt has left there goes.
        mode: real or simulated.
        record: what stands in the folder of how the point was run.
        data_dir: where named data sets lie, if known.

    Raises:
        MdlError: the run failed, or `run` is no place for one.
        KeyboardInterrupt: it was stopped; its folder holds what it had learnt.
    """
    experiment = parse(tables)
    with _alone(run):
        _clear(run)
        files.write_json(run / POINT, record)
        files.write_json(run / files.ENVIRONMENT, files.environment())
        files.write_atomically(run / files.EXPERIMENT, experiment.to_toml().encode())
        summary = _run(experiment, run, mode, data_dir, report)
    match summary["status"]:
        case "failed":
            raise MdlError(summary["reason"])
        case "interrupted":
            raise KeyboardInterrupt


def _run(
    experiment: Experiment, run: Path, mode: Mode, data_dir: Path | None, report: Report
) -> Mapping[str, Any]:
    state = State(experiment, simulated=isinstance(mode, Simulated))

    def watch(event: Mapping[str, Any]) -> None:
        board(event)
        if state.take(event):
            report(epoch=state.epoch, epochs=experiment.epochs, accuracy=state.accuracy)

    with Board(run, print) as board:  # into the log of the point
        if not isinstance(mode, Simulated):
            with files.locked(run) as held:
                return launch(experiment, held, data_dir=data_dir, watch=watch)
        network = Network(mode.latency_seconds, mode.bandwidth_bytes_per_second)
        conditions = Conditions(network, mode.schedule, mode.training_seconds)
        return rehearse(experiment, cast(experiment, data_dir), run, conditions, watch)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Keep the folder from a process of a killed study, which may still write into it; wait for its end."""
    until = time.monotonic() + PREDECESSOR_SECONDS
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(files.locked_by(run.parent, f"{run.name}.lock"))
                break
            except MdlError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield


def _clear(run: Path) -> None:
    """Make room for a run where an earlier attempt lies.

    Raises:
        MdlError: what lies there is none.
    """
    if foreign(run):
        raise MdlError(f"would overwrite what is no point of a study: {run}")
    for path in run.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOG:
            path.unlink()
