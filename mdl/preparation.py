"""What is made once for all parties of a run before they start: the data laid out, DP-SGD's noise."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mdl.config import Experiment, parse
from mdl.errors import MdlError
from mdl.learning.dataset import open_spool
from mdl.learning.partition import split
from mdl.learning.privacy import DpSgd
from mdl.learning.settings import LearningSettings
from mdl.privacy import record_level
from mdl.suitability import check_networks, largest_entry


def also_preloaded(learning: LearningSettings) -> Sequence[str]:
    """Name what training would import in each party, over a second in each if not before."""
    if not isinstance(learning.privacy, DpSgd):
        return ()
    # Where each worker has a file of its own, it calculates its noise itself.
    by_itself = learning.split == "files" and learning.privacy.epsilon is not None
    return ("torch._dynamo", "dp_accounting") if by_itself else ("torch._dynamo",)


@dataclass(frozen=True)
class Preparation:
    """What the parties of a run find ready.

    Attributes:
        spool: where the data set is laid out; empty where each worker reads its own file.
        noise: multipliers of DP-SGD by the number of examples; none where the file gives the noise itself,
            and where only each worker knows how many examples it has.
    """

    spool: str
    noise: dict[int, float]


async def prepare(
    experiment: Experiment,
    place: Path,
    *,
    data_dir: Path | None,
    watch: Callable[[Mapping[str, Any]], None],
    stopping: Callable[[], bool],
) -> Preparation:
    """Prepare a run.

    Args:
        experiment: what is to be run.
        place: a folder to lay the data set out in.
        data_dir: where named data sets lie, if known.
        watch: is shown what is going on.
        stopping: tells whether to break off; what is given then is of no use.

    Raises:
        MdlError: the data set cannot be read, or the model cannot be built.
    """
    spool, _ = await asyncio.gather(
        _lay_out_data(experiment, place, data_dir=data_dir, watch=watch, stopping=stopping),
        _load_accountant(experiment),
    )
    return Preparation(spool, await _calibrated(experiment, spool, watch=watch, stopping=stopping))


async def _lay_out_data(
    experiment: Experiment,
    place: Path,
    *,
    data_dir: Path | None,
    watch: Callable[[Mapping[str, Any]], None],
    stopping: Callable[[], bool],
) -> str:
    """Have a child read the data set once, so that all parties can map the same pages."""
    if experiment.learning.split == "files":
        return ""  # each worker reads its own file, and nobody else's
    watch({"kind": "starting", "what": "reading the data set"})
    ours, theirs = multiprocessing.Pipe()
    spool = place / "data"
    spool.mkdir()
    process = multiprocessing.get_context("forkserver").Process(
        target=lay_out,
        args=(theirs, experiment.model_dump(exclude_none=True), str(data_dir or ""), str(spool)),
        daemon=True,
    )
    process.start()
    theirs.close()
    try:
        while not ours.poll():
            if stopping():
                process.kill()
                return ""
            await asyncio.sleep(0.02)
        message = ours.recv_bytes().decode()
    except EOFError:
        message = "the process that reads the data set died"
    finally:
        ours.close()
    await asyncio.to_thread(process.join)
    if message:
        raise MdlError(message)
    return str(spool)


def lay_out(pipe: Connection, experiment: Mapping[str, Any], data_dir: str, spool: str) -> None:
    """Lay a data set out in `spool` (in a child); tell over `pipe` what went wrong, or nothing.

    Every kind of model is built once as well: one that cannot be, or that the system cannot train, is found
    out before any party starts.
    """
    from mdl.learning.dataset import spool as write
    from mdl.learning.datasets import load
    from mdl.learning.sizes import made

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        planned = parse(experiment)
        folder = Path(data_dir) if data_dir else None
        dataset = load(planned.learning, folder, largest=largest_entry(planned))
        check_networks(planned, made(planned.learning, dataset.shape, dataset.classes))
        write(dataset, Path(spool))
    except (MdlError, OSError) as error:  # the disk is full, say, which its error does not name
        where = "" if isinstance(error, MdlError) else f"cannot lay the data set out in {spool}: "
        pipe.send_bytes(f"{where}{type(error).__name__}: {error}".encode())
        raise SystemExit(1) from None
    pipe.send_bytes(b"")


async def _load_accountant(experiment: Experiment) -> None:
    """Import in a thread what counts DP-SGD's ε, while nothing else can be done here."""
    if isinstance(experiment.learning.privacy, DpSgd):
        await asyncio.to_thread(record_level.load)


async def _calibrated(
    experiment: Experiment,
    spool: str,
    *,
    watch: Callable[[Mapping[str, Any]], None],
    stopping: Callable[[], bool],
) -> dict[int, float]:
    """Calculate once for all workers, in a thread, the noise by which they keep to their ε."""
    privacy = experiment.learning.privacy
    if not isinstance(privacy, DpSgd) or privacy.epsilon is None or not spool:
        return {}
    watch({"kind": "starting", "what": "calculating the noise of DP-SGD"})
    labels = open_spool(Path(spool)).train_labels
    parts = await asyncio.to_thread(split, labels, experiment.learning, experiment.workers, experiment.seed)
    noise: dict[int, float] = {}
    for examples in sorted({len(part) for part in parts}):
        if not stopping():
            sampling = experiment.learning.sampling(examples)
            noise[examples] = await asyncio.to_thread(privacy.noise_over, experiment.epochs, sampling)
    return noise
