"""Who sees what of an experiment: its views, from a run of its first epochs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mdl.audit.fitting import fitting
from mdl.audit.inversion import averaging, gossip, roles, sharing
from mdl.audit.inversion.epochs import epochs_of
from mdl.audit.inversion.seen import Seen
from mdl.audit.inversion.stage import stage
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning.dataset import Dataset
from mdl.systems import Decentralised, FedAvg, QuantisedMpc, SecretShared, Standalone, coordinated, dynamic
from mdl.vectors import Floats

SMALL_AGGREGATES: Final = (2, 4)
"""Sizes of aggregates that are attacked for comparison, where an aggregate of one image each is larger."""


@dataclass(frozen=True, eq=False)
class Point:
    """Where the attack takes place.

    Attributes:
        experiment: what is audited.
        dataset: its data set.
        start: the parameters with which all parties begin; None for the experiment's initial ones.
        images: victims on the plain server's side; sets how many epochs are run.
    """

    experiment: Experiment
    dataset: Dataset
    start: Floats | None
    images: int

    @property
    def epochs(self) -> int:
        """Epochs with a victim in each worker, until there are as many victims as asked for."""
        return -(-self.images // self.experiment.workers)


def check_attackable(experiment: Experiment) -> None:
    """Make sure that there is something to attack.

    Raises:
        ConfigError: no gradient is sent or summed, or the printed protocol is to be run.
    """
    system = experiment.system
    if isinstance(system, Standalone):
        raise ConfigError(
            [
                "system.type: in 'standalone' nobody sends anything: there is no gradient to invert; "
                "take another system"
            ]
        )
    if isinstance(system, QuantisedMpc):
        raise ConfigError([f"system.type: of {system.type!r} there is nothing to invert: {fitting(system)}"])
    if isinstance(system, dynamic.Dynamic) and system.mode == "paper":
        raise ConfigError(
            [
                'system.mode: "paper" hands single gradients to the manager and a worker, exactly '
                '(mdl audit collusion); set system.mode = "safe" to see what sums tell'
            ]
        )


def views(point: Point) -> Iterator[Seen]:
    """Run the experiment, and give what each role holds: the yardstick first.

    Raises:
        MdlError: a run failed.
    """
    yield from _of_plain_server(point)
    experiment, dataset, start = point.experiment, point.dataset, point.start
    match experiment.system:
        case FedAvg():
            staged = stage(experiment, dataset, epochs=point.epochs + 1, start=start)
            for number in range(1, point.epochs + 1):
                yield averaging.by_worker(staged, number, 1)
        case SecretShared():
            # With an epoch more, members see what became of the last one.
            staged = stage(experiment, dataset, epochs=point.epochs + 1, start=start)
            for number in range(1, point.epochs + 1):
                yield from sharing.views(staged, number)
        case Decentralised():
            yield from gossip.views(stage(experiment, dataset, epochs=2, start=start))
        case _:
            staged = stage(experiment, dataset, epochs=point.epochs, start=start)
            for epoch in epochs_of(staged, point.epochs):
                yield from roles.views(epoch)


def _of_plain_server(point: Point) -> Iterator[Seen]:
    """The same experiment by federated averaging: the server's view of one update for each victim."""
    yardstick = point.experiment.model_copy(update={"system": FedAvg()})
    staged = stage(yardstick, point.dataset, epochs=point.epochs, start=point.start)
    for victim in range(point.images):
        epoch, worker = divmod(victim, point.experiment.workers)
        yield averaging.by_server(staged, epoch + 1, worker + 1)


def smaller(point: Point) -> Iterator[Point]:
    """The same experiment with so few workers that all of them make a small aggregate, for comparison."""
    experiment = point.experiment
    if experiment.learning.split == "files":
        return
    for workers in SMALL_AGGREGATES:
        few = _of_few(experiment, workers)
        if few is None:
            continue
        system = experiment.system.model_copy(update=few)
        changed = experiment.model_copy(update={"workers": workers, "system": system, "delay": None})
        if not changed.problems():
            yield Point(changed, point.dataset, point.start, workers)


def _of_few(experiment: Experiment, workers: int) -> dict[str, Any] | None:
    """Say what to change so that a sum is of so few; None where it is no smaller, or nothing is hidden."""
    match experiment.system:
        case coordinated.Coordinated() as system if (
            system.scheme.type != "plain" and workers < system.visibility_threshold(experiment.workers)
        ):
            # m = 2 is insecure, and studied here for that reason.
            return {"threshold": workers, "visibility": None, "opening_threshold": None, "insecure": True}
        case SecretShared() as system if system.mode != "plain" and workers < system.size(experiment.workers):
            return {"group": "all", "minimum_group": workers, "threshold": "auto", "insecure": True}
        case _:
            return None


def sums_of(point: Point) -> Iterator[Seen]:
    """What the manager alone holds."""
    staged = stage(point.experiment, point.dataset, epochs=point.epochs, start=point.start)
    if isinstance(point.experiment.system, SecretShared):
        for number in range(1, point.epochs + 1):
            yield from sharing.by_server(staged, number)
        return
    for epoch in epochs_of(staged, point.epochs):
        yield from roles.by_manager(epoch)
