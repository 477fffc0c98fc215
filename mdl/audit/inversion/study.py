"""Every attack on every view: what `mdl audit inversion` does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion import averaging, roles
from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.epochs import epochs_of
from mdl.audit.inversion.labels import right
from mdl.audit.inversion.scores import Match, matches, psnr
from mdl.audit.inversion.seen import Seen
from mdl.audit.inversion.stage import model_of, stage
from mdl.audit.inversion.target import NotApplicable, Pictures, Recovered, targeted
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning.dataset import Dataset
from mdl.learning.partition import Rows
from mdl.systems import FedAvg, Standalone, coordinated, dynamic
from mdl.vectors import Floats

GUESS = "guess"
"""No attack: the mean of the test images, which anybody has."""

SMALL_AGGREGATES = (2, 4)
"""Sizes of aggregates that are attacked for comparison, where an aggregate of one image each is larger."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """One attack on one view.

    Attributes:
        attack: its name in `ATTACKS`, or `GUESS`.
        seen: the view.
        recovered: what came of it; None where it was not mounted.
        found: recovered images and the true ones they were assigned to, the best first.
        decibels: by true image: how close the recovered one comes, or that assigned to it; NaN where there
            was none left for it.
        labels_right: of the labels that it told, how many are right; None where it told none.
        reason: why it was not mounted, else empty.
    """

    attack: str
    seen: Seen
    recovered: Recovered | None
    found: Sequence[Match] = ()
    decibels: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    labels_right: int | None = None
    reason: str = ""


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
        ConfigError: nothing is sent, or the printed protocol is to be run.
    """
    system = experiment.system
    if isinstance(system, Standalone):
        raise ConfigError(
            [
                "system.type: in 'standalone' nobody sends anything: there is no gradient to invert; "
                "take another system"
            ]
        )
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
    experiment, dataset, start = point.experiment, point.dataset, point.start
    yield from _of_plain_server(point)
    if isinstance(experiment.system, FedAvg):
        staged = stage(experiment, dataset, epochs=point.epochs + 1, start=start)
        for number in range(1, point.epochs + 1):
            yield averaging.by_worker(staged, number, 1)
        return
    for epoch in epochs_of(stage(experiment, dataset, epochs=point.epochs, start=start), point.epochs):
        first, *_, last = roles.members(epoch)
        yield from roles.by_manager(epoch)
        yield roles.by_worker(epoch, first)
        yield roles.by_eavesdropper(epoch, first)
        yield roles.by_coalition(epoch, last)


def _of_plain_server(point: Point) -> Iterator[Seen]:
    """The same experiment by federated averaging: the server's view of one update for each victim."""
    yardstick = point.experiment.model_copy(update={"system": FedAvg()})
    staged = stage(yardstick, point.dataset, epochs=point.epochs, start=point.start)
    for victim in range(point.images):
        epoch, worker = divmod(victim, point.experiment.workers)
        yield averaging.by_server(staged, epoch + 1, worker + 1)


def smaller(point: Point) -> Iterator[Point]:
    """The same experiment with so few workers that all of them make a small aggregate, for comparison."""
    experiment, system = point.experiment, point.experiment.system
    if not isinstance(system, coordinated.Coordinated) or system.scheme.type == "plain":
        return
    if experiment.learning.split == "files":
        return
    for workers in SMALL_AGGREGATES:
        if workers >= system.visibility_threshold(experiment.workers):
            continue
        # m = 2 is insecure, and studied here for that reason.
        few = {"threshold": workers, "visibility": None, "opening_threshold": None, "insecure": True}
        changed = experiment.model_copy(
            update={"workers": workers, "system": system.model_copy(update=few), "delay": None}
        )
        if not changed.problems():
            yield Point(changed, point.dataset, point.start, workers)


def sums_of(point: Point) -> Iterator[Seen]:
    """What the manager alone holds."""
    staged = stage(point.experiment, point.dataset, epochs=point.epochs, start=point.start)
    for epoch in epochs_of(staged, point.epochs):
        yield from roles.by_manager(epoch)


def mount(point: Point, seen: Seen, names: Sequence[str]) -> Iterator[Attempt]:
    """Mount attacks on a view, after the guess that they are to be held against.

    A view without a single image in it is left out: private training draws who takes part in a step.
    """
    if not len(seen.rows):
        return
    true = images(point.dataset, seen.rows)
    guess = _mean_image(point.dataset)
    yield _scored(GUESS, seen, Recovered(guess), true)
    for name in names:
        if ATTACKS[name].models_all and len(seen.rows) == 1:
            continue  # the same as for one image
        yield _attempt(point, seen, name, true)


def _attempt(point: Point, seen: Seen, name: str, true: Pictures) -> Attempt:
    attack, count = ATTACKS[name], len(seen.rows)
    if attack.limit is not None and count > attack.limit:
        return Attempt(
            name, seen, None, (), reason=f"{count} images at once; mounted on {attack.limit} at most"
        )
    model = model_of(point.experiment, point.dataset)
    target = targeted(model, seen.parameters, seen.gradient, seen.known, point.dataset.shape)
    if not seen.known.any():
        return Attempt(name, seen, None, reason="this role knows no entry of it")
    try:
        recovered = attack.run(target, count, point.experiment.seed)
    except NotApplicable as error:
        return Attempt(name, seen, None, reason=str(error))
    labels = None
    if recovered.labels is not None:
        labels = right(recovered.labels, point.dataset.train_labels[seen.rows].tolist())
    return _scored(name, seen, recovered, true, labels)


def _scored(
    name: str, seen: Seen, recovered: Recovered, true: Pictures, labels_right: int | None = None
) -> Attempt:
    found = matches(recovered.images, true)
    if len(recovered.images) == 1:
        (decibels,) = psnr(recovered.images, true)
    else:
        decibels = np.full(len(true), np.nan)
        for match in found:
            decibels[match.true] = match.decibels
    return Attempt(name, seen, recovered, found, decibels, labels_right)


def images(dataset: Dataset, rows: Rows) -> Pictures:
    """Give training images as the model sees them, pixels in [0, 1]."""
    return (dataset.train_images[rows] / np.float32(dataset.scale)).astype(np.float32)


def _mean_image(dataset: Dataset) -> Pictures:
    mean = dataset.test_images.mean(axis=0, keepdims=True, dtype=np.float64)
    return np.asarray(mean / dataset.scale, np.float32)
