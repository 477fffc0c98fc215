"""One party in a process of its own: connect, build the learner, run the system, report.

The launcher starts it with a pipe; `mdl node` starts it by hand with a key file. Either way it is given
`Orders`.
"""

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
import uvloop

from mdl import __version__
from mdl.answers import asked, write_answers
from mdl.config import Experiment, agreed, parse
from mdl.errors import ConfigError, MdlError, ProtocolError, TransportError, leaf, party_name
from mdl.folder import FileJournal
from mdl.learning.archives import MORE_CLASSES, silo_file
from mdl.learning.building import build_learner
from mdl.learning.dataset import Dataset, open_spool
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner
from mdl.ledger import Ledger
from mdl.orders import Orders, Question, Report
from mdl.party import MANAGER, Party, PartyId
from mdl.protocols.releases import count_private
from mdl.suitability import check_learner, largest_entry
from mdl.system import Answering, Journal, Outcome, Task
from mdl.trained import Trained
from mdl.transport.codec import Codec
from mdl.transport.party import PATIENCE_SECONDS, StreamParty
from mdl.transport.pool import crypto_pool
from mdl.vectors import fingerprint

logger = logging.getLogger(__name__)

LAG_INTERVAL_SECONDS: Final = 0.05

LINK_SECONDS: Final = 60.0
"""How long the parties have to find each other."""


def main(pipe: Connection) -> None:
    """Run a party as a child of the launcher: orders come, and reports go, over `pipe`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the launcher's to act upon
    orders = msgspec.msgpack.decode(pipe.recv_bytes(), type=Orders)
    encoder = msgspec.json.Encoder()

    def report(event: Mapping[str, Any]) -> None:
        with suppress(OSError):  # the launcher is gone: the pipe's end has told this node to stop
            pipe.send_bytes(encoder.encode(event))

    raise SystemExit(perform(orders, report, pipe))


def perform(orders: Orders, report: Report, pipe: Connection | None = None) -> int:
    """Play one party's part; report how it went; give the exit code."""
    log_to(Path(orders.run_folder) / f"log-{orders.party}.txt")
    try:
        uvloop.run(_until_stopped(_play(orders, report), pipe))
    except asyncio.CancelledError:
        logger.warning("stopped before the end")
        report({"kind": "stopped", "cpu_seconds": _cpu_seconds()})
        return 1
    except MdlError as error:
        return _fail(error, report, orders)
    except BaseExceptionGroup as group:
        return _fail(leaf(group.subgroup(MdlError) or group), report, orders)
    except Exception as error:
        return _fail(error, report, orders)
    return 0


def _fail(error: BaseException, report: Report, orders: Orders) -> int:
    foreseen, said = isinstance(error, MdlError), str(error)
    if isinstance(error, ProtocolError):
        said = error.told(parse(orders.experiment).party_zero)
    logger.error("%s: %s", type(error).__name__, said, exc_info=None if foreseen else error)
    report(
        {
            "kind": "failed",
            "error": type(error).__name__,
            "message": said,
            "culprits": list(getattr(error, "culprits", ())),
            # Whether somebody must set it right: neither what others did, nor what befell the process.
            "mistake": foreseen and not isinstance(error, ProtocolError | TransportError),
        }
    )
    return 1


async def _until_stopped(work: Any, pipe: Connection | None) -> None:
    """Await `work`; cancel it when the launcher says so, or is gone, or on SIGTERM."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    if pipe is None:
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        await task
        return

    def stop() -> None:
        loop.remove_reader(pipe.fileno())
        task.cancel()

    loop.add_reader(pipe.fileno(), stop)  # whatever comes after the orders, even the pipe's end, means stop
    try:
        await task
    finally:
        loop.remove_reader(pipe.fileno())


async def _play(orders: Orders, report: Report) -> None:
    experiment = parse(orders.experiment)
    torch.set_num_threads(experiment.torch_threads)
    ledger, trained = Ledger(orders.party), Trained(experiment, orders.party)

    def on_record(event: Mapping[str, Any]) -> None:
        report(event)
        trained.note(event)
        if event["kind"] in ("done", "epoch"):
            report({"kind": "ledger", "entry": msgspec.to_builtins(ledger.turn(event["epoch"]))})

    loop, run = asyncio.get_running_loop(), Path(orders.run_folder)
    lag = LoopLag()
    learner = await loop.run_in_executor(None, _learner, experiment, orders)
    codec = Codec(experiment.system.receives(orders.party))
    with _pool(experiment, orders.pool) as pool:
        relink = experiment.system.tolerates_loss
        async with StreamParty(
            orders.party, codec, ledger, pool, on_record, relink=relink, beside=experiment.party_zero
        ) as party:
            await _link(party, experiment, orders, parameters=len(learner.parameters()))
            watch = asyncio.ensure_future(lag.watch())
            logger.info("linked with %d parties", len(party.peers))
            report({"kind": "linked"})
            task = _task(experiment, orders)
            try:
                if orders.question is None:
                    outcome = await experiment.system.run(party, learner, task)
                else:
                    outcome = await _answer(party, learner, task, experiment, orders.question, run)
            finally:
                trained.write(learner, FileJournal(run, orders.party), run)
            if experiment.alone and orders.party != MANAGER:
                await _score_alone(party, learner, task.journal, outcome.epochs)
            watch.cancel()
    report({"kind": "ledger", "entry": msgspec.to_builtins(ledger.turn(outcome.epochs))})
    report({"kind": "finished", **_account(outcome), "loop_lag": lag.figures()})


async def _answer(
    party: Party, learner: LocalLearner, task: Task, experiment: Experiment, question: Question, run: Path
) -> Outcome:
    """Have a question answered in secret; who asks writes down what it is told."""
    system = experiment.system
    assert isinstance(system, Answering)
    mine = asked(question.images, learner, question.limit) if party.id == question.asker else None
    scores = await system.answer(party, learner, task, question.asker, mine.images if mine else None)
    if mine is not None and scores is not None:
        write_answers(run, mine, scores)
    return Outcome(task.resume, "all questions answered", np.zeros(0, np.float32))


async def _score_alone(party: Party, learner: LocalLearner, journal: Journal, epochs: int) -> None:
    """Train a model of one's own for comparison, and tell how it scores."""
    scores = await party.to_thread("baseline", learner.alone, epochs)
    counts = count_private(journal, learner.examples, epochs=epochs) if learner.is_private else {}
    party.record("evaluated", epochs, model="alone", loss=scores.loss, accuracy=scores.accuracy, **counts)


class LoopLag:
    """How late the event loop wakes up: what blocks it shows here."""

    def __init__(self) -> None:
        self._late: list[float] = []

    async def watch(self) -> None:
        """Sleep and see, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_INTERVAL_SECONDS
            await asyncio.sleep(LAG_INTERVAL_SECONDS)
            self._late.append(max(0.0, loop.time() - due))

    def figures(self) -> dict[str, float]:
        """Give median and 95th percentile in seconds."""
        late = sorted(self._late) or [0.0]
        return {"median": late[len(late) // 2], "p95": late[int(0.95 * (len(late) - 1))]}


def _learner(experiment: Experiment, orders: Orders) -> LocalLearner:
    """Make what the party learns with; where nobody has checked its network for all, it does.

    Raises:
        ConfigError: the network does not fit the data, or the system.
        DataUnavailable: the data cannot be read.
    """
    if orders.spool:
        return _built(experiment, orders, open_spool(Path(orders.spool)))
    dataset = _own_data(experiment, orders)
    with _naming_own_file(experiment, orders.party, dataset.classes):
        learner = _built(experiment, orders, dataset)
    check_learner(experiment, orders.party, learner, dataset)
    return learner


@contextmanager
def _naming_own_file(experiment: Experiment, party: PartyId, classes: int) -> Iterator[None]:
    """Where a worker has a file of its own, say in an error which, and how many classes it has."""
    try:
        yield
    except ConfigError as error:
        missing = isinstance(error.__cause__, ImportError)  # whatever the file is like
        if missing or experiment.learning.split != "files" or party == MANAGER:
            raise
        file = silo_file(Path(experiment.learning.dataset), party)
        whose = f"{file}, of {party_name(party)}, has {classes} classes: {MORE_CLASSES}"
        raise ConfigError([*error.problems, whose]) from None


def _built(experiment: Experiment, orders: Orders, dataset: Dataset) -> LocalLearner:
    return build_learner(
        experiment.learning,
        dataset,
        party=orders.party,
        workers=experiment.workers,
        epochs=experiment.epochs,
        seed=experiment.seed,
        pooled=bool(getattr(experiment.system, "pooled", False)),
        noise=orders.noise,
    )


def _own_data(experiment: Experiment, orders: Orders) -> Dataset:
    """Read the data oneself. Where each worker has a file of its own, it reads that one and no other."""
    everybody = range(1, experiment.workers + 1)
    return load(
        experiment.learning,
        Path(orders.data_dir) if orders.data_dir else None,
        workers=everybody if orders.party == MANAGER else [orders.party],
        largest=largest_entry(experiment),
    )


@contextmanager
def _pool(experiment: Experiment, processes: int) -> Iterator[Any]:
    """Where a party's cryptography is done, if there is any; else it computes in its own thread."""
    if experiment.system.crypto == "none":
        yield None
        return
    heavy = experiment.system.crypto == "processes"
    pool = crypto_pool(processes) if heavy else ThreadPoolExecutor(1, thread_name_prefix="crypto")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


async def _link(party: StreamParty, experiment: Experiment, orders: Orders, *, parameters: int) -> None:
    """Listen to one's callers, call one's listeners, and wait until all links stand."""
    terms = {
        "mdl": __version__,
        "run": orders.keys.run.hex(),
        # Where each worker has a model of its own, what must be common is the list of them.
        **({} if experiment.learning.models else {"parameters": str(parameters)}),
        **({} if experiment.system.own_pace else {"resume": str(orders.resume)}),
        **({} if orders.question is None else {"asker": str(orders.question.asker)}),
        **agreed(experiment),
        **experiment.system.terms(experiment.workers),
    }
    links = experiment.system.links(experiment.workers)
    callers = [caller for listener, caller in links if listener == party.id]
    listeners = [listener for listener, caller in links if caller == party.id]
    folder, secrets, returns = Path(orders.sockets), orders.keys.secrets, orders.rejoin is not None
    # Who comes back calls all, also those that called it at first. The manager does not come back.
    again = [peer for peer in listeners if peer != MANAGER] if experiment.system.tolerates_loss else []
    if callers or again:
        expected = {caller: secrets[caller] for caller in (*callers, *again)}
        await party.listen(folder / f"{party.id}.sock", secrets=expected, terms=terms)

    async def call(listener: PartyId, patience_seconds: float) -> None:
        await party.connect(
            folder / f"{listener}.sock",
            peer=listener,
            secret=secrets[listener],
            terms=terms,
            patience_seconds=patience_seconds,
            again=returns,
        )

    if returns:
        await call(MANAGER, PATIENCE_SECONDS)
        for neighbour in sorted(secrets.keys() - {MANAGER}):
            with suppress(TransportError):  # gone, or back itself: then it calls
                await call(neighbour, 0.0)
        return
    for listener in listeners:
        await call(listener, LINK_SECONDS)
    await party.linked([*callers, *listeners], LINK_SECONDS)


def _task(experiment: Experiment, orders: Orders) -> Task:
    records = orders.question.records if orders.question else orders.run_folder
    journal = FileJournal(Path(records), orders.party)
    resume = orders.resume if orders.rejoin is None else orders.rejoin
    if resume and experiment.system.own_pace and orders.party != MANAGER:
        # Whatever epoch it is told: from an earlier one it would compute, and offer, a gradient that may have
        # been opened already, over another set.
        resume = max(journal.epochs("model"), default=resume)
    new = orders.rejoin is None and not orders.resume
    if new and (journal.epochs("model") or journal.epochs("sets")):
        # Its records are what keeps a repeated epoch from being opened over other sets: they must not be
        # begun anew.
        raise MdlError(
            f"{orders.run_folder} holds records of an earlier run: resume it, come back to it with "
            "--rejoin, or take a new folder"
        )
    return Task(
        run=orders.keys.run,
        seed=experiment.seed,
        workers=experiment.workers,
        epochs=experiment.epochs,
        evaluate_every=experiment.evaluate_every,
        stop=experiment.stop_rule(),
        delay_seconds=experiment.delays(orders.party),
        resume=resume,
        rejoin=orders.rejoin is not None,
        credentials=orders.keys.credentials,
        journal=journal,
    )


def _account(outcome: Outcome) -> dict[str, Any]:
    """What the launcher is told of the end: never the parameters themselves, but their fingerprint."""
    return {
        "epochs": outcome.epochs,
        "reason": outcome.reason,
        # Who does not learn the model has none.
        "weights": fingerprint(outcome.parameters) if len(outcome.parameters) else None,
        "cpu_seconds": _cpu_seconds(),
    }


def _cpu_seconds() -> float:
    """Give the processor time of this party and its pool, which must have ended."""
    mine, pool = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + pool.ru_utime + pool.ru_stime


def log_to(path: Path) -> None:
    """Send this process's log to a file."""
    logging.basicConfig(
        filename=path,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logger.info("%s begins, process %d", path.stem, os.getpid())
