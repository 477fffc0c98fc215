"""Fork all parties of a run, be their trusted authority, watch them, and write down what they report.

All children live and die with the launcher: one ends before its time, and either the system can do without
it or all stop and the error says which, why, and the last lines of its log. Ctrl-C stops them all and keeps
what was learnt, and so does a terminal that is closed.
"""

import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from mdl import folder as files
from mdl.authority import deal_keys
from mdl.children import Child, first_reason, why_ended
from mdl.config import Experiment
from mdl.curves import write_curves
from mdl.entry import enter
from mdl.errors import MdlError
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from mdl.forks import start_forkserver
from mdl.orders import Orders, Question
from mdl.party import MANAGER, PartyId
from mdl.preparation import Preparation, also_preloaded, prepare
from mdl.protocols.releases import counted
from mdl.resumption import resume_epochs
from mdl.summary import Account, summarise

GRACE_SECONDS: Final = 5.0
"""How long a party has to stop when told to, before it is killed."""

Watcher = Callable[[Mapping[str, Any]], None]
"""Shown every event of the run as it comes, for progress. Must not raise."""


def launch(
    experiment: Experiment,
    run: files.Held,
    *,
    data_dir: Path | None,
    watch: Watcher,
    resuming: bool = False,
    question: Question | None = None,
) -> Mapping[str, Any]:
    """Run an experiment to its end, in its own processes.

    Args:
        experiment: what to run.
        run: the run's folder, which the caller keeps from others until this returns (`mdl.folder.locked`).
        data_dir: where named data sets lie, if known.
        watch: is shown every event.
        resuming: go on from the checkpoints in `run`.
        question: have it answered by the model of an earlier run of the experiment, instead of training.

    Returns:
        The summary, as it stands in ``summary.json``; ``exit_code`` and ``status`` say how the run ended.
    """
    start_forkserver(["mdl.node", *also_preloaded(experiment.learning)])  # every party is a fork
    with _private_folder() as private:
        launcher = _Launcher(
            experiment,
            run,
            private,
            data_dir=data_dir,
            watch=watch,
            resuming=resuming,
            question=question,
        )
        return asyncio.run(launcher.run())


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
        question: Question | None = None,
    ) -> None:
        self._question = question
        self._experiment, self._run, self._private = experiment, run, private
        self._data_dir, self._watch, self._resuming = data_dir, watch, resuming
        self._context = multiprocessing.get_context("forkserver")
        self._children: dict[PartyId, Child] = {}
        self._account = Account(experiment, resuming=resuming)
        self._began = time.monotonic()
        self._longest = 0.0  # seconds between two reports of a party
        self._error: MdlError | None = None
        self._first_loss: MdlError | None = None
        self._presses = 0
        self._interrupted = False
        self._stopping = False

    async def run(self) -> Mapping[str, Any]:
        """Start, watch, stop, sum up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # by nohup, a run is to outlive its terminal
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        resume = self._take_up() if self._resuming else {}
        if self._question is not None:
            roster = self._experiment.system.roster(self._experiment.workers)
            resume = dict.fromkeys(roster, self._question.epoch)
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
                prepared = await prepare(
                    self._experiment,
                    self._private,
                    data_dir=self._data_dir,
                    watch=self._watch,
                    stopping=lambda: self._stopping,
                )
                if not self._stopping:
                    self._start_all(prepared, resume)
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

    def _start_all(self, prepared: Preparation, resume: Mapping[PartyId, int]) -> None:
        self._watch({"kind": "starting", "what": "starting the parties"})
        keys = deal_keys(self._experiment)
        sockets = self._private / "sockets"
        sockets.mkdir(mode=0o700)
        for party, mine in keys.items():
            child = self._start(party, resume.get(party, 0))
            self._children[party] = child
            orders = Orders(
                experiment=self._experiment.model_dump(exclude_none=True),
                party=party,
                keys=mine,
                sockets=str(sockets),
                run_folder=str(self._run),
                spool=prepared.spool,
                data_dir=str(self._data_dir or ""),
                resume=resume.get(party, 0),
                pool=max(1, os.cpu_count() or 1) if party == MANAGER else 1,
                noise=prepared.noise,
                question=self._question,
            )
            child.pipe.send_bytes(msgspec.msgpack.encode(orders))

    def _start(self, party: PartyId, done: int) -> Child:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(target=enter, args=(theirs,), name=f"mdl-{party}")
        process.start()
        theirs.close()
        return Child(party, process, ours, self._experiment.epochs, done)

    # ------------------------------------------------------------------------------------------------
    # watching

    async def _accompany(self, child: Child) -> None:
        """Take a child's reports until it is gone, then decide what that means for the others."""
        loop = asyncio.get_running_loop()
        loop.add_reader(child.pipe.fileno(), self._read, child)
        await child.gone.wait()
        await asyncio.to_thread(child.process.join)
        if child.finished is None and not self._stopping:
            self._lost(child)

    def _read(self, child: Child) -> None:
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

    def _reports(self, child: Child) -> list[bytes]:
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

    def _take(self, child: Child, event: dict[str, Any]) -> None:
        match event["kind"]:
            case "ledger":
                self._ledger.write(msgspec.json.encode(event["entry"]) + b"\n")
                self._account.spent(event["entry"])
                self._watch(event)
            case "linked":
                child.linked, child.heard = True, time.monotonic()
            case "finished":
                child.finished = event
                self._account.finished(child.party, event)
                if child.party == MANAGER or (self._experiment.linked and not self._experiment.led):
                    asyncio.get_running_loop().call_later(self._allowance(), self._end_stragglers)
            case "failed":
                child.failure = event
            case "stopped":
                self._account.cpu_seconds += event["cpu_seconds"]
            case _:
                since = child.reports(event["kind"], event["epoch"], time.monotonic())
                self._longest = max(self._longest, since)
                self._note(event)

    def _allowance(self) -> float:
        """How many seconds others have to finish when the manager has, or the first where nobody leads.

        They may still be in an epoch, which `timeout_seconds` need not cover: so long as one has been silent
        before. More if they still train alone.
        """
        patience: float = getattr(self._experiment.system, "timeout_seconds", 300.0)
        return (patience + self._longest) * (1 + self._experiment.epochs if self._experiment.alone else 1)

    def _end_stragglers(self) -> None:
        for child in self._children.values():
            if child.finished is None and child.process.is_alive():
                child.cut = True
                child.process.kill()  # what `_lost` then says of it is that it left

    def _note(self, event: Mapping[str, Any]) -> None:
        """Put an event on the record, with the time since the start."""
        stamped = {"seconds": round(time.monotonic() - self._began, 4), **event}
        self._metrics.write(json.dumps(stamped).encode() + b"\n")
        self._account.recorded(stamped)
        self._watch(stamped)

    def _lost(self, child: Child) -> None:
        """A child ended before its work was done: go on without it, or stop them all."""
        error = why_ended(child, self._children.values(), self._run, self._experiment.party_zero)
        tolerable = self._tolerable(child)
        if self._error is not None or not tolerable:
            self._error = first_reason(self._error, error, child)
        if not tolerable:
            self._stop_all()
            return
        self._first_loss = first_reason(self._first_loss, error, child)
        self._note(
            # By this a resumed run knows which records to keep.
            {
                "party": MANAGER,
                "kind": "left",
                "epoch": self._epoch,
                "worker": child.party,
                "how": str(error),
            }
        )

    def _tolerable(self, child: Child) -> bool:
        """Whether the others can do without a child: it was lost, or has lost others.

        What it could not do by itself is a mistake in the experiment, or here, that nobody should miss.
        """
        is_loss = child.failure is None or not child.failure["mistake"]
        needed = child.party == MANAGER or not child.linked
        return is_loss and not needed and self._experiment.system.tolerates_loss

    @property
    def _epoch(self) -> int:
        """The run's: the manager's, or the latest of any where nobody leads."""
        leading = self._children.get(MANAGER)
        return leading.epoch if leading else max(child.epoch for child in self._children.values())

    # ------------------------------------------------------------------------------------------------
    # stopping

    def _interrupt(self) -> None:
        self._presses += 1
        if self._presses > 1:
            self._kill_all()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        """Stop in order, however often it is said: kernel and shell may both say it.

        It is no Ctrl-C of which the second kills: where a session is ended, SIGTERM comes close behind.
        """
        if not self._interrupted:
            self._interrupted = True
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
                child.cut = True
                child.process.kill()

    # ------------------------------------------------------------------------------------------------ the end

    @property
    def _anybody_finished(self) -> bool:
        """Whether a party has come to its end that learns, or that leads those who do: a dealer does not."""
        led = self._experiment.led
        return any(child.finished for child in self._children.values() if led or child.party != MANAGER)

    def _sum_up(self) -> Mapping[str, Any]:
        if not self._interrupted and not self._anybody_finished:
            self._error = self._error or self._first_loss  # one after the other all were lost
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
