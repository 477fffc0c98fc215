"""How fast epochs follow each other: simulations of a network that is not trained, several at a time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mdl.errors import MdlError
from mdl.reproduction.figure import Setting
from mdl.reproduction.priced import PricedSettings, Prices, Till, Widths
from mdl.reproduction.virtual import Pace, StandIn, Variant, play, variant
from mdl.studies.entry import COMPLETED
from mdl.studies.measurements import Measured, Measurement, measure
from mdl.studies.processes import Event

ROWS: Final = 128
"""So many blocks of one are simulated; each stands for equally many of the network's parameters."""

SETTLED: Final = 3
"""Epochs after which ∝MDL^d goes at a steady pace."""


@dataclass(frozen=True)
class Tempo:
    """The pace of a run.

    Attributes:
        first: virtual seconds of the first epoch, in which ∝MDL^d fills its first sets.
        later: of each later one, the mean.
    """

    first: float
    later: float

    def seconds(self, epochs: int) -> float:
        """Give the time of so many: later ones are alike, as nothing is learnt in them."""
        return self.first + (epochs - 1) * self.later


@dataclass(frozen=True)
class Trial:
    """What is simulated.

    Attributes:
        variant_name: of ∝MDL.
        workers: n.
        members: m.
        parameters: t.
        block: parameters in a block.
        scheme: with its prices.
        training_seconds: of a local epoch.
        epochs: more than `SETTLED`.
    """

    variant_name: Variant
    workers: int
    members: int
    parameters: int
    block: int
    scheme: PricedSettings
    training_seconds: float
    epochs: int


def tempos(setting: Setting, trials: Mapping[str, Trial]) -> Mapping[str, Tempo]:
    """Simulate the trials that are not simulated yet, in processes of their own.

    Raises:
        MdlError: one failed.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    calls = [Measurement(name, simulate_epochs, arguments(trial)) for name, trial in trials.items()]
    found = simulate_all(setting, calls)
    return {name: Tempo(**figures) for name, figures in found.items()}


def simulate_all(setting: Setting, calls: list[Measurement]) -> Mapping[str, Mapping[str, Any]]:
    """Make simulations that are not made yet, as many at a time as there are cores; give their figures.

    Raises:
        MdlError: one failed.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    setting.tell(f"{len(calls)} simulations")

    def watch(event: Event) -> None:
        if event.kind == "ended" and event.ending is not None and event.ending.status == COMPLETED:
            setting.tell(event.name)

    made = measure(calls, setting.folder / "simulations", jobs=setting.processes, watch=watch)
    if any(each.status in ("interrupted", "unstarted") for each in made.values()):
        raise KeyboardInterrupt
    for name, each in made.items():
        _need(name, each)
    return {name: each.figures for name, each in made.items()}


def _need(name: str, made: Measured) -> None:
    if made.status != COMPLETED:
        raise MdlError(f"{name} {made.status}: {made.reason}")


def arguments(trial: Trial) -> Mapping[str, Any]:
    """Give a trial as JSON."""
    scheme = trial.scheme
    return {
        **{key: value for key, value in vars(trial).items() if key != "scheme"},
        "scheme": as_json(scheme),
    }


def as_json(scheme: PricedSettings) -> Mapping[str, Any]:
    """Write a priced scheme as JSON, but for its till."""
    return {"name": scheme.name, "widths": asdict(scheme.widths), "prices": scheme.prices.to_json()}


def scheme_of(about: Mapping[str, Any], standing_for: int = 1) -> PricedSettings:
    """Read a priced scheme from JSON."""
    return PricedSettings(
        name=about["name"],
        widths=Widths(**about["widths"]),
        prices=Prices(**about["prices"]),
        standing_for=standing_for,
        till=Till(),
    )


def simulate_epochs(
    *,
    variant_name: Variant,
    workers: int,
    members: int,
    parameters: int,
    block: int,
    scheme: Mapping[str, Any],
    training_seconds: float,
    epochs: int,
) -> Mapping[str, float]:
    """Run a trial; give its `Tempo` by name."""
    standing_for = max(1, parameters // ROWS) if block == 1 else 1
    simulation = play(
        variant(variant_name, members, block),
        scheme_of(scheme, standing_for),
        lambda _: StandIn(round(parameters / standing_for)),
        workers=workers,
        epochs=epochs,
        pace=Pace(training_seconds),
    )
    ends = [float(record["seconds"]) for record in simulation.records if record["kind"] == "epoch"]
    return asdict(Tempo(ends[0], (ends[-1] - ends[SETTLED - 1]) / (epochs - SETTLED)))
