"""Runs that learn: the paper's networks under a grid of settings, simulated, several at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final, TypeAlias

from mdl.config import load
from mdl.errors import DataUnavailable, MdlError
from mdl.learning.settings import LearningSettings
from mdl.report.runs import read_run
from mdl.reproduction.figure import Row, Setting
from mdl.studies.engine import PointResult, interrupted, run_points
from mdl.studies.modes import Simulated
from mdl.studies.points import Point, point_name
from mdl.studies.processes import Event

SEEDS: Final = (1, 2, 3)

_EPOCH: Final = Simulated(training_seconds=1.0)
"""Only what is learnt matters here: an epoch takes one virtual second, everything else none."""


@dataclass(frozen=True)
class Learnt:
    """A network that learns a data set, in the size of a study.

    Attributes:
        name: as the paper calls it, but that a stand-in for SVHN is named.
        model: of the experiment file.
        dataset: of the experiment file.
        images: of the training set, drawn at random; each worker holds 60 % of them. None for all.
        epochs: how many.
        batch: images a step.
        test: images of the test set that are scored, drawn at random; None for all.
    """

    name: str
    model: str
    dataset: str
    images: int | None
    epochs: int
    batch: int = 128
    test: int | None = None

    @property
    def key(self) -> str:
        """What it is called on the command line: a stand-in by what it stands for."""
        return f"{self.model}-{'mnist' if self.dataset == 'mnist' else 'svhn'}"

    @property
    def overrides(self) -> Sequence[str]:
        """What is said of it to an experiment file."""
        limits = {"learning.train_limit": self.images, "learning.test_limit": self.test}
        return [
            f"learning.model={self.model}",
            f"learning.dataset={self.dataset}",
            f"learning.batch={self.batch}",
            f"epochs={self.epochs}",
            *(f"{key}={limit}" for key, limit in limits.items() if limit is not None),
        ]

    @property
    def extent(self) -> str:
        """Say how large it is."""
        images = f"{self.images:,} images" if self.images else "all images"
        return f"{self.name}: {images}, {self.epochs} epochs, batch {self.batch}"


QUICK: Final = Learnt("MLP-MNIST", "mlp", "mnist", images=5_000, epochs=15, batch=32, test=2_000)
"""Batches of 32: so 15 epochs of 3,000 images have as many steps as 30 of 6,000 in batches of 128."""


def full(data_dir: Path | None) -> Sequence[Learnt]:
    """Give the paper's four networks.

    CIFAR-10, of the same shape, stands in for SVHN where that is not at hand. The MLP sees all of MNIST; what
    takes minutes an epoch on a core sees 10,000 images.
    """
    svhn = LearningSettings(dataset="svhn")
    hard, said = ("svhn", "SVHN") if is_at_hand(svhn, data_dir) else ("cifar10", "CIFAR-10 (for SVHN)")
    return (
        Learnt("MLP-MNIST", "mlp", "mnist", images=None, epochs=30),
        Learnt("CNN-MNIST", "cnn", "mnist", images=10_000, epochs=30),
        Learnt(f"MLP-{said}", "mlp", hard, images=10_000, epochs=30),
        Learnt(f"CNN-{said}", "cnn", hard, images=10_000, epochs=30),
    )


NETWORKS: Final = ("mlp-mnist", "cnn-mnist", "mlp-svhn", "cnn-svhn")
"""The keys of `full`."""


def sized(setting: Setting, wanted: Sequence[Learnt] | None = None) -> Sequence[Learnt]:
    """Give what a figure runs: the quick one, or in full those of `wanted` (by default `full`) asked for."""
    if setting.quick:
        return [QUICK]
    found = full(setting.data_dir) if wanted is None else wanted
    return [network for network in found if not setting.networks or network.key in setting.networks]


def is_at_hand(settings: LearningSettings, data_dir: Path | None) -> bool:
    """Tell whether a named data set can be read."""
    from mdl.learning.sizes import missing_data  # brings in torch

    return missing_data(settings, data_dir) is None


Axes: TypeAlias = Mapping[str, Sequence[Any]]
"""Keys of an experiment file, each with the values that it takes."""


def learn(
    setting: Setting,
    file: Path,
    networks: Sequence[Learnt],
    axes: Axes,
    *,
    overrides: Sequence[str] = (),
    seeds: Sequence[int] = SEEDS,
    label: str = "runs",
) -> Sequence[Row]:
    """Run every network under every combination of settings and seeds, or what is left of that.

    Args:
        setting: of the figure.
        file: the experiment.
        networks: what learns.
        axes: what varies.
        overrides: ``key.path=value`` each, for all runs; an axis wins.
        seeds: of the experiments; the noise is secret randomness, and of no seed.
        label: of the folder that the runs lie in.

    Returns:
        A row a run: the network, the settings by their keys' last parts, the seed, the accuracies at the end
        of the global model and of the workers' own, the run's folder, the hash of the global model.

    Raises:
        DataUnavailable: a data set is not at hand.
        MdlError: a run failed.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    points: list[Point] = []
    about: dict[str, tuple[Learnt, Mapping[str, Any]]] = {}
    for network, values in product(networks, product(*axes.values(), seeds)):
        chosen = dict(zip([*axes, "seed"], values, strict=True))
        said = [*network.overrides, *overrides, *(f"{key}={value}" for key, value in chosen.items())]
        experiment, _ = load(file, said)
        _need(experiment.learning, setting.data_dir)
        named = {"learning.dataset": network.dataset, "learning.model": network.model, **chosen}
        point = Point(point_name(named), experiment, named)
        points.append(point)
        about[point.name] = (network, chosen)
    setting.tell(f"{len(points)} runs of {', '.join(network.extent for network in networks)}")
    results = run_points(
        points,
        setting.folder / label,
        mode=_EPOCH,
        jobs=setting.jobs,
        watch=_Progress(setting, len(points)),
        data_dir=setting.data_dir,
    )
    if interrupted(results):
        raise KeyboardInterrupt
    return [_row(result, *about[name]) for name, result in results.items()]


def curve(folder: Path) -> Mapping[int, float]:
    """Give the global model's accuracy by epoch, of a run."""
    return {
        metric.epoch: metric.accuracy
        for metric in read_run(folder).metrics
        if metric.kind == "evaluated" and metric.model == "global" and metric.accuracy is not None
    }


def _need(settings: LearningSettings, data_dir: Path | None) -> None:
    from mdl.learning.sizes import missing_data  # brings in torch

    if (missing := missing_data(settings, data_dir)) is not None:
        raise DataUnavailable(missing)


class _Progress:
    """Tells of every run that ends."""

    def __init__(self, setting: Setting, count: int) -> None:
        self._setting, self._count, self._ended = setting, count, 0

    def __call__(self, event: Event) -> None:
        """Take in an event of the study."""
        if event.ending is None:
            return
        self._ended += 1
        if event.kind != "kept":
            self._setting.tell(f"{self._ended} of {self._count}: {event.name} {event.ending.status}")


def _row(result: PointResult, network: Learnt, chosen: Mapping[str, Any]) -> Row:
    if not result.completed or result.summary is None:
        raise MdlError(f"{result.point.name} {result.status}: {result.reason}")
    accuracy = result.summary["accuracy"]
    return {
        "network": network.name,
        **{key.rpartition(".")[2]: value for key, value in chosen.items()},
        "accuracy": accuracy.get("global"),
        "own_models": accuracy.get("own_mean"),
        "pooled": accuracy.get("pooled"),
        "folder": str(result.folder),
        "weights": result.summary["weights"]["global"],
    }


@dataclass(frozen=True)
class Spread:
    """What several seeds gave: their mean, and the deviation that they estimate (0 for a single one)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.deviation:.3f}" if self.deviation else "")


def over_seeds(rows: Sequence[Row], value: str, **where: Any) -> Spread:
    """Give mean and standard deviation of a column, over the rows that have these values in others."""
    found: list[Any] = [row[value] for row in rows if all(row[key] == want for key, want in where.items())]
    assert found, where
    return Spread(fmean(found), stdev(found) if len(found) > 1 else 0.0)


def networks_of(rows: Sequence[Row]) -> Iterator[str]:
    """Give the networks' names, each once, in the order of the rows."""
    yield from dict.fromkeys(str(row["network"]) for row in rows)
