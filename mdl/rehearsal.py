"""The same experiment in one thread, on the virtual clock: `mdl simulate`.

It leaves a run's folder as `mdl run` does, so that reports show it, and real runs beside it; what is not in
it are checkpoints and logs. Its seconds are those of the virtual clock.
"""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import torch

from mdl import folder as files
from mdl.config import Experiment
from mdl.curves import write_curves
from mdl.errors import MdlError, party_name
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from mdl.learning.building import build_learner
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner
from mdl.learning.sizes import made
from mdl.party import MANAGER, PartyId
from mdl.protocols.releases import count_private
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import as_measured, from_table
from mdl.simulator.run import MemoryJournal
from mdl.suitability import check_networks, largest_entry
from mdl.summary import Account, summarise
from mdl.trained import Trained
from mdl.vectors import fingerprint

Watcher = Callable[[Mapping[str, Any]], None]
"""Shown every event as it comes. Must not raise."""

_ALONE: Final = "training every worker alone, for comparison"


@dataclass(frozen=True)
class Conditions:
    """What the experiment file does not say.

    Attributes:
        network: of every link.
        schedule: the seed of the order in which things happen that could happen in any.
        training_seconds: virtual seconds that a local epoch takes; other computing then takes none, so that
            nothing is measured, and the same conditions give the same run, second for second. None: all
            computing takes what it takes here, as though each party had a machine of its own.
    """

    network: Network = field(default_factory=Network)
    schedule: int = 0
    training_seconds: float | None = None

    def charge(self, activity: str, seconds: float) -> float:
        """Give the virtual seconds of a call that took so many real ones."""
        if self.training_seconds is None:
            return as_measured(activity, seconds)
        return from_table({"training": self.training_seconds})(activity, seconds)


def cast(experiment: Experiment, data_dir: Path | None) -> dict[PartyId, LocalLearner]:
    """Make every party's learner.

    Raises:
        DataUnavailable: the data set cannot be read.
        ConfigError: the model cannot be made, or the system cannot train it.
    """
    torch.set_num_threads(experiment.torch_threads)
    learning, everybody = experiment.learning, range(1, experiment.workers + 1)
    dataset = load(learning, data_dir, workers=everybody, largest=largest_entry(experiment))
    check_networks(experiment, made(learning, dataset.shape, dataset.classes))
    return {
        party: build_learner(
            learning,
            dataset,
            party=party,
            workers=experiment.workers,
            epochs=experiment.epochs,
            seed=experiment.seed,
            pooled=bool(getattr(experiment.system, "pooled", False)),
        )
        for party in experiment.system.roster(experiment.workers)
    }


def rehearse(
    experiment: Experiment,
    learners: Mapping[PartyId, LocalLearner],
    run: Path,
    conditions: Conditions,
    watch: Watcher,
) -> Mapping[str, Any]:
    """Simulate an experiment to its end, and write down what happens.

    Args:
        experiment: what to simulate.
        learners: of `cast`.
        run: the run's folder; exists already.
        conditions: under which.
        watch: is shown every event.

    Returns:
        The summary, as it stands in ``summary.json``; ``exit_code`` and ``status`` say how it ended. Nobody
        leaves a simulation, so it fails if any party does.
    """
    with files.locked(run), (run / files.METRICS).open("wb", buffering=0) as metrics:
        (run / files.LEDGER).touch()
        return _Rehearsal(experiment, learners, run, conditions, watch=watch, metrics=metrics.write).run()


class _Rehearsal:
    def __init__(
        self,
        experiment: Experiment,
        learners: Mapping[PartyId, LocalLearner],
        run: Path,
        conditions: Conditions,
        *,
        watch: Watcher,
        metrics: Callable[[bytes], object],
    ) -> None:
        self._experiment, self._learners, self._run = experiment, learners, run
        self._conditions, self._watch, self._metrics = conditions, watch, metrics
        self._account = Account(experiment)
        roster = experiment.system.roster(experiment.workers)
        self._trained = {party: Trained(experiment, party) for party in roster}
        self._journals = {party: MemoryJournal() for party in roster}
        self._seconds = 0.0

    def run(self) -> Mapping[str, Any]:
        """Simulate, train alone, sum up."""
        status, reason, code, began = "failed", "", EXIT_FAILED, time.process_time()
        try:
            with _Interruption(self._watch) as interruption:
                self._close(self._simulate(interruption), interruption)
            status, reason, code = "completed", self._account.reason, EXIT_OK
        except MdlError as error:
            reason = str(error)
        except KeyboardInterrupt:
            status, reason, code = "interrupted", "stopped by the user", EXIT_INTERRUPTED
        self._account.cpu_seconds = time.process_time() - began
        summary = summarise(
            self._account, status=status, reason=reason, seconds=self._seconds, clock="virtual"
        )
        summary = {**summary, "exit_code": code, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        files.write_json(self._run / files.SUMMARY, summary)
        write_curves(self._run)
        for party, trained in self._trained.items():
            trained.write(self._learners[party], self._journals[party], self._run)
        return summary

    def _simulate(self, interruption: "_Interruption") -> Simulation:
        experiment, conditions = self._experiment, self._conditions

        def charge(activity: str, seconds: float) -> float:
            interruption.act()
            return conditions.charge(activity, seconds)

        return simulate(
            experiment.system,
            self._learners.__getitem__,
            workers=experiment.workers,
            epochs=experiment.epochs,
            seed=experiment.seed,
            schedule=conditions.schedule,
            network=conditions.network,
            charge=charge,
            delays=experiment.delays if experiment.delay else None,
            stop=experiment.stop_rule(),
            evaluate_every=experiment.evaluate_every,
            journals=self._journals,
            transcript=False,
            on_record=self._note,
        )

    def _close(self, simulation: Simulation, interruption: "_Interruption") -> None:
        """Write down what is known at the end only."""
        self._seconds = simulation.seconds
        self._keep_ledgers(simulation)
        for party, outcome in simulation.outcomes.items():
            last = {"weights": fingerprint(outcome.parameters), "reason": outcome.reason, "cpu_seconds": 0.0}
            self._account.finished(party, last)
        for party, error in simulation.errors.items():
            name = party_name(party, self._experiment.party_zero)
            raise MdlError(f"{name}: {type(error).__name__}: {error}") from error
        if self._experiment.alone:
            self._watch({"kind": "starting", "what": _ALONE})
            for party in sorted(simulation.outcomes.keys() - {MANAGER}):
                interruption.act()
                self._score_alone(party, simulation.outcomes[party].epochs)

    def _keep_ledgers(self, simulation: Simulation) -> None:
        lines = []
        for ledger in simulation.ledgers.values():
            entry = msgspec.to_builtins(msgspec.structs.replace(ledger, epoch=self._account.epochs))
            self._account.spent(entry)
            self._watch({"kind": "ledger", "entry": entry})
            lines.append(msgspec.json.encode(entry) + b"\n")
        files.write_atomically(self._run / files.LEDGER, b"".join(lines))

    def _score_alone(self, party: PartyId, epochs: int) -> None:
        learner = self._learners[party]
        scores = learner.alone(epochs)
        counts = (
            count_private(self._journals[party], learner.examples, epochs=epochs)
            if learner.is_private
            else {}
        )
        line = {"seconds": self._seconds, "party": party, "kind": "evaluated", "epoch": epochs}
        self._note({**line, "model": "alone", "loss": scores.loss, "accuracy": scores.accuracy, **counts})

    def _note(self, event: Mapping[str, Any]) -> None:
        """Put an event on the record."""
        self._seconds = event["seconds"]
        stamped = {**event, "seconds": round(self._seconds, 4)}
        self._metrics(json.dumps(stamped).encode() + b"\n")
        self._account.recorded(stamped)
        self._trained[event["party"]].note(event)
        self._watch(stamped)


class _Interruption(AbstractContextManager["_Interruption"]):
    """Ctrl-C: noted at once, acted upon where nothing is half done. A second one is not waited for."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._noted = False

    def __enter__(self) -> "_Interruption":
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._noted = True
        signal.signal(signal.SIGINT, self._before)

    def act(self) -> None:
        """Stop if Ctrl-C was pressed: in an event loop with its next step, elsewhere at once.

        Raises:
            KeyboardInterrupt: it was, and there is no event loop.
        """
        if not self._noted:
            return
        self._noted = False
        self._watch({"kind": "stopping"})
        try:
            # Not from within a party's task: the error would be taken for the party's.
            asyncio.get_running_loop().call_soon(_stop)
        except RuntimeError:
            _stop()


def _stop() -> None:
    raise KeyboardInterrupt
