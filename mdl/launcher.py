"""Fork all parties of a run, be their trusted authority, watch them, and write down what they report.

All children live and die with the launcher: one ends before its time, and either the system can do without
it or all stop and the error says which, why, and the last lines of its log. Ctrl-C stops them all and keeps
what was learnt.
"""

import asyncio
import json
import multiprocessing
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

import msgspec

from mdl import folder as files
from mdl.config import Experiment
from mdl.curves import write_curves
from mdl.entry import enter
from mdl.errors import MdlError, WorkerDied
from mdl.learning.dataset import open_spool
from mdl.learning.partition import split
from mdl.learning.privacy import DpSgd
from mdl.learning.settings import LearningSettings
from mdl.orders import Keys, Orders
from mdl.party import MANAGER, PartyId
from mdl.privacy import record_level
from mdl.protocols.releases import counted
from mdl.schemes.randomness import SystemRandomness
from mdl.summary import Account, summarise

GRACE_SECONDS: Final = 5.0
"""How long a party has to stop when told to, before it is killed."""

EXIT_OK, EXIT_FAILED, EXIT_CONFIG, EXIT_INTERRUPTED = 0, 1, 2, 130

Watcher = Callable[[Mapping[str, Any]], None]
"""Shown every event of the run as it comes, for progress. Must not raise."""


@dataclass
class _Child:
    """A party's process and what is known of it."""

    party: PartyId
    process: ForkServerProcess
    pipe: Connection
    linked: bool = False
    epoch: int = 0
    last: str = ""
    failure: Mapping[str, Any] | None = None
    finished: Mapping[str, Any] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> str:
        """Where in the run it is, as far as its reports tell."""
        if not self.linked:
            return "before it was linked with the others"
        if self.last in ("trained", "noised"):
            return f"in epoch {self.epoch}, after its training"
        if self.party == MANAGER:
            return f"in epoch {self.epoch + 1}"
        return f"in epoch {self.epoch + 1}, before its training was done"


def deal_keys(experiment: Experiment) -> dict[PartyId, Keys]:
    """Be the trusted authority: make every party's keys, for one run. Nothing of it is kept."""
    system, rng = experiment.system, SystemRandomness()
    run = secrets.token_bytes(16)
    credentials = system.deal(experiment.workers, rng=rng)
    proofs: dict[PartyId, dict[int, bytes]] = {party: {} for party in system.roster(experiment.workers)}
    for listener, caller in system.links(experiment.workers):
        proofs[listener][caller] = proofs[caller][listener] = secrets.token_bytes(32)
    return {party: Keys(party, run, credentials.get(party, b""), proofs[party]) for party in proofs}


def launch(
    experiment: Experiment,
    run: Path,
    *,
    data_dir: Path | None,
    watch: Watcher,
    resuming: bool = False,
) -> Mapping[str, Any]:
    """Run an experiment to its end, in its own processes.

    Args:
        experiment: what to run.
        run: the run's folder; exists already.
        data_dir: where named data sets lie, if known.
        watch: is shown every event.
        resuming: go on from the checkpoints in `run`.

    Returns:
        The summary, as it stands in ``summary.json``; ``exit_code`` and ``status`` say how the run ended.
    """
    context = multiprocessing.get_context("forkserver")
    # The one process that imports torch; every party is a fork of it.
    context.set_forkserver_preload(["mdl.node", *_also_preloaded(experiment.learning)])
    forkserver.ensure_running()
    with files.locked(run), _private_folder() as private:
        launcher = _Launcher(experiment, run, private, data_dir=data_dir, watch=watch, resuming=resuming)
        return asyncio.run(launcher.run())


def _also_preloaded(learning: LearningSettings) -> Sequence[str]:
    """Name what training would import in each party, over a second in each if not before."""
    if not isinstance(learning.privacy, DpSgd):
        return ()
    # Where each worker has a file of its own, it calculates its noise itself.
    by_itself = learning.split == "files" and learning.privacy.epsilon is not None
    return ("torch._dynamo", "dp_accounting") if by_itself else ("torch._dynamo",)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that only this user can look into, for sockets and the laid-out data set."""
    path = Path(tempfile.mkdtemp(prefix="mdl-"))  # mode 0700
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class _Launcher:
    def __init__(
        self,
        experiment: Experiment,
        run: Path,
        private: Path,
        *,
        data_dir: Path | None,
        watch: Watcher,
        resuming: bool,
    ) -> None:
        self._experiment, self._run, self._private = experiment, run, private
        self._data_dir, self._watch, self._resuming = data_dir, watch, resuming
        self._context = multiprocessing.get_context("forkserver")
        self._children: dict[PartyId, _Child] = {}
        self._account = Account(experiment, resuming=resuming)
        self._began = time.monotonic()
        self._error: MdlError | None = None
        self._interrupted = 0
        self._stopping = False

    async def run(self) -> Mapping[str, Any]:
        """Start, watch, stop, sum up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        resume = self._take_up() if self._resuming else {}
        with (
            (self._run / files.METRICS).open("ab", buffering=0) as self._metrics,
            (self._run / files.LEDGER).open("ab", buffering=0) as self._ledger,
        ):
            if self._resuming:
                # What a repeated epoch told of the data before counts too, though its lines are gone.
                for party, epoch in resume.items():
                    counts = counted(files.FileJournal(self._run, party))
                    self._note({"party": party, "kind": "resumed", "epoch": epoch, **counts})
            try:
                spool, _ = await asyncio.gather(self._lay_out_data(), self._load_accountant())
                noise = await self._calibrated(spool)
                if not self._stopping:
                    self._start_all(spool, resume, noise)
                    async with asyncio.TaskGroup() as tasks:
                        for child in self._children.values():
                            tasks.create_task(self._accompany(child))
            except MdlError as error:
                self._error = error
            finally:
                self._kill_all()
        return self._sum_up()

    # ------------------------------------------------------------------------------------------------
    # starting

    async def _lay_out_data(self) -> str:
        """Have a child read the data set once, so that all parties can map the same pages."""
        if self._experiment.learning.split == "files":
            return ""  # each worker reads its own file, and nobody else's
        self._watch({"kind": "starting", "what": "reading the data set"})
        ours, theirs = multiprocessing.Pipe()
        spool = self._private / "data"
        spool.mkdir()
        process = self._context.Process(
            target=lay_out,
            args=(theirs, self._experiment.learning.model_dump(), str(self._data_dir or ""), str(spool)),
            daemon=True,
        )
        process.start()
        theirs.close()
        try:
            while not ours.poll():
                if self._stopping:
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

    async def _load_accountant(self) -> None:
        """Import in a thread what counts DP-SGD's ε, while nothing else can be done here."""
        if isinstance(self._experiment.learning.privacy, DpSgd):
            await asyncio.to_thread(record_level.load)

    async def _calibrated(self, spool: str) -> dict[int, float]:
        """Calculate once for all workers, in a thread, the noise by which they keep to their ε.

        Returns:
            Noise multipliers by the number of examples; none where the file gives the noise itself, and where
            only each worker knows how many examples it has.
        """
        experiment, privacy = self._experiment, self._experiment.learning.privacy
        if not isinstance(privacy, DpSgd) or privacy.epsilon is None or not spool:
            return {}
        self._watch({"kind": "starting", "what": "calculating the noise of DP-SGD"})
        labels = open_spool(Path(spool)).train_labels
        parts = await asyncio.to_thread(
            split, labels, experiment.learning, experiment.workers, experiment.seed
        )
        noise: dict[int, float] = {}
        for examples in sorted({len(part) for part in parts}):
            if not self._stopping:
                sampling = experiment.learning.sampling(examples)
                noise[examples] = await asyncio.to_thread(privacy.noise_over, experiment.epochs, sampling)
        return noise

    def _take_up(self) -> dict[PartyId, int]:
        """Find where to go on; take over the records up to there, and drop those of what is repeated."""
        resume = resume_epochs(self._experiment, self._run)
        for party, epoch in resume.items():
            files.FileJournal(self._run, party).forget("model", epoch)
        seconds = 0.0
        for event in files.trim(self._run / files.METRICS, resume):
            self._account.recorded(event)
            seconds = event["seconds"]
        for entry in files.trim(self._run / files.LEDGER, resume):
            self._account.spent(entry)
        summary = self._run / files.SUMMARY
        if summary.exists():  # it does not if the earlier part was killed
            self._account.goes_on(json.loads(summary.read_bytes()))
        self._began -= seconds
        return resume

    def _start_all(self, spool: str, resume: Mapping[PartyId, int], noise: dict[int, float]) -> None:
        self._watch({"kind": "starting", "what": "starting the parties"})
        keys = deal_keys(self._experiment)
        sockets = self._private / "sockets"
        sockets.mkdir(mode=0o700)
        for party, mine in keys.items():
            child = self._start(party)
            self._children[party] = child
            orders = Orders(
                experiment=self._experiment.model_dump(exclude_none=True),
                party=party,
                keys=mine,
                sockets=str(sockets),
                run_folder=str(self._run),
                spool=spool,
                data_dir=str(self._data_dir or ""),
                resume=resume.get(party, 0),
                pool=max(1, os.cpu_count() or 1) if party == MANAGER else 1,
                noise=noise,
            )
            child.pipe.send_bytes(msgspec.msgpack.encode(orders))

    def _start(self, party: PartyId) -> _Child:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(target=enter, args=(theirs,), name=f"mdl-{party}")
        process.start()
        theirs.close()
        return _Child(party, process, ours)

    # ------------------------------------------------------------------------------------------------
    # watching

    async def _accompany(self, child: _Child) -> None:
        """Take a child's reports until it is gone, then decide what that means for the others."""
        loop = asyncio.get_running_loop()
        loop.add_reader(child.pipe.fileno(), self._read, child)
        await child.gone.wait()
        await asyncio.to_thread(child.process.join)
        if child.finished is None and not self._stopping:
            self._lost(child)

    def _read(self, child: _Child) -> None:
        """Take what a child reports, and before what the manager does, all that it may follow from.

        A worker reports its training before it tells the manager, so that is in the worker's pipe by now.
        """
        reports = self._reports(child)
        if child.party == MANAGER:
            for other in self._children.values():
                if other is not child and not other.pipe.closed:
                    self._read(other)
        try:
            for report in reports:
                self._take(child, msgspec.json.decode(report))
        except OSError as error:  # the disk is full, say: a run whose record is lost is no run
            self._error = self._error or MdlError(f"cannot write to {self._run}: {error}")
            self._stop_all()

    def _reports(self, child: _Child) -> list[bytes]:
        """Read what is in a child's pipe; where that is its end, the child is gone."""
        reports: list[bytes] = []
        try:
            while child.pipe.poll():
                reports.append(child.pipe.recv_bytes())
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(child.pipe.fileno())
            child.pipe.close()
            child.gone.set()
        return reports

    def _take(self, child: _Child, event: dict[str, Any]) -> None:
        match event["kind"]:
            case "ledger":
                self._ledger.write(msgspec.json.encode(event["entry"]) + b"\n")
                self._account.spent(event["entry"])
                self._watch(event)
            case "linked":
                child.linked = True
            case "finished":
                child.finished = event
                self._account.finished(child.party, event)
                if child.party == MANAGER:
                    asyncio.get_running_loop().call_later(self._allowance(), self._end_stragglers)
            case "failed":
                child.failure = event
            case "stopped":
                self._account.cpu_seconds += event["cpu_seconds"]
            case _:
                child.epoch, child.last = event["epoch"], event["kind"]
                self._note(event)

    def _allowance(self) -> float:
        """How many seconds workers have to finish when the manager has; more if they still train alone."""
        patience: float = getattr(self._experiment.system, "timeout_seconds", 300.0)
        return patience * (1 + self._experiment.epochs if self._experiment.alone else 1)

    def _end_stragglers(self) -> None:
        for child in self._children.values():
            if child.finished is None and child.process.is_alive():
                child.process.kill()  # what `_lost` then says of it is that it left

    def _note(self, event: Mapping[str, Any]) -> None:
        """Put an event on the record, with the time since the start."""
        stamped = {"seconds": round(time.monotonic() - self._began, 4), **event}
        self._metrics.write(json.dumps(stamped).encode() + b"\n")
        self._account.recorded(stamped)
        self._watch(stamped)

    def _lost(self, child: _Child) -> None:
        """A child ended before its work was done: go on without it, or stop them all."""
        error = self._why(child)
        tolerable = self._experiment.system.tolerates_loss and child.party != MANAGER and child.linked
        if not tolerable:
            self._error = self._error or error
            self._stop_all()
            return
        self._note(
            # The run's epoch, not the worker's own: by it a resumed run knows which records to keep.
            {
                "party": MANAGER,
                "kind": "left",
                "epoch": self._children[MANAGER].epoch,
                "worker": child.party,
                "how": str(error),
            }
        )

    def _why(self, child: _Child) -> MdlError:
        if child.failure is None:
            code = child.process.exitcode or 0
            how = (
                f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            )
            return WorkerDied(child.party, f"{how} {child.state}", self._last_words(child.party))
        others = [other.failure for other in self._children.values() if other is not child]
        # That others lost this party is no news; anything else may be why it could not go on.
        telling = [failure for failure in others if failure and failure["error"] != "PeerLeft"]
        lines = [f"{failure['error']}: {failure['message']}" for failure in (child.failure, *telling)]
        return MdlError("\n".join(list(dict.fromkeys(lines))[:4]))

    def _last_words(self, party: PartyId) -> str:
        try:
            lines = (self._run / f"log-{party}.txt").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(f"  {line}" for line in lines[-5:])

    # ------------------------------------------------------------------------------------------------
    # stopping

    def _interrupt(self) -> None:
        self._interrupted += 1
        if self._interrupted > 1:
            self._kill_all()
            return
        self._watch({"kind": "stopping"})
        self._stop_all()

    def _stop_all(self) -> None:
        """Tell every child to stop; kill those that have not after a while."""
        if self._stopping:
            return
        self._stopping = True
        for child in self._children.values():
            if not child.pipe.closed:
                with suppress(OSError):  # it is gone already
                    child.pipe.send_bytes(b"stop")
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._kill_all)

    def _kill_all(self) -> None:
        for child in self._children.values():
            if child.process.is_alive():
                child.process.kill()

    # ------------------------------------------------------------------------------------------------ the end

    def _sum_up(self) -> Mapping[str, Any]:
        if self._error is not None:
            status, reason, code = "failed", str(self._error), EXIT_FAILED
        elif self._interrupted:
            status, reason, code = "interrupted", "stopped by the user", EXIT_INTERRUPTED
        else:
            status, reason, code = "completed", self._account.reason, EXIT_OK
        summary = summarise(
            self._account, status=status, reason=reason, seconds=time.monotonic() - self._began
        )
        summary = {**summary, "exit_code": code, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        files.write_json(self._run / files.SUMMARY, summary)
        write_curves(self._run)
        return summary


def lay_out(pipe: Connection, learning: Mapping[str, Any], data_dir: str, spool: str) -> None:
    """Lay a data set out in `spool` (in a child); tell over `pipe` what went wrong, or nothing.

    The model is built once as well: one that cannot be is found out before any party starts.
    """
    from mdl.learning.dataset import spool as write
    from mdl.learning.datasets import load
    from mdl.learning.models import build

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = LearningSettings(**learning)
        dataset = load(settings, Path(data_dir) if data_dir else None)
        build(settings, dataset.shape, dataset.classes, 0)
        write(dataset, Path(spool))
    except MdlError as error:
        pipe.send_bytes(f"{type(error).__name__}: {error}".encode())
        raise SystemExit(1) from None
    pipe.send_bytes(b"")


def resume_epochs(experiment: Experiment, run: Path) -> dict[PartyId, int]:
    """Find, for each party, the epoch to go on from.

    Where an epoch is everybody's, they must go on from the same one: the latest that the manager has and that
    all workers which kept up with it have too; if there is none, the manager's latest. A worker that has no
    checkpoint of it takes its own latest. Without a manager, it is the latest that all have. Where all go at
    their own pace, each goes on from its own latest, and the manager, if there is one, must have one.

    Raises:
        MdlError: there is nothing to go on from.
    """
    roster = list(experiment.system.roster(experiment.workers))
    kept = {party: files.FileJournal(run, party).epochs("model") for party in roster}
    newest = {party: epochs[-1] if epochs else 0 for party, epochs in kept.items()}
    if not experiment.linked:
        return newest
    reached: int | None
    if not experiment.led:
        reached = max(set.intersection(*map(set, kept.values())), default=None)
    else:
        reached = newest[MANAGER] if experiment.system.own_pace else _common_epoch(kept)
    if not reached:
        raise MdlError(f"{run} holds no checkpoint that the parties have in common: nothing to resume")
    if reached >= experiment.epochs:
        raise MdlError(f"{run} is complete: all {reached} epochs are done (raise --set epochs to go on)")
    return newest if experiment.system.own_pace else dict.fromkeys(roster, reached)


def _common_epoch(kept: Mapping[PartyId, Sequence[int]]) -> int | None:
    if not kept[MANAGER]:
        return None
    newest = kept[MANAGER][-1]
    # Who is further behind than one epoch had left the run before; it catches up as it can.
    up_to_date = [epochs for party, epochs in kept.items() if party and epochs and epochs[-1] >= newest - 1]
    common = [epoch for epoch in kept[MANAGER] if all(epoch in epochs for epochs in up_to_date)]
    return common[-1] if common else newest
