"""One variant of ∝MDL learning for real, on the virtual clock at measured prices, or with real processes."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

from mdl.config import Experiment, parse
from mdl.errors import DataUnavailable, MdlError
from mdl.folder import METRICS
from mdl.learning.sizes import missing_data
from mdl.party import MANAGER
from mdl.rehearsal import cast
from mdl.reproduction.costs import BLOCK
from mdl.reproduction.figure import Setting
from mdl.reproduction.priced import PricedSettings
from mdl.reproduction.tempo import as_json, scheme_of
from mdl.reproduction.virtual import Pace, Variant, play, variant
from mdl.studies.engine import interrupted, run_points
from mdl.studies.modes import Real
from mdl.studies.points import Point
from mdl.systems.coordinated import Coordinated
from mdl.systems.dynamic import Dynamic

Curve: TypeAlias = Sequence[Sequence[float]]
"""(seconds, accuracy of the global model) by epoch."""

NARROW: Final = 256
"""Parameters in a block of the printed protocol here: only the simulation takes less time. Bytes and prices
are those of single parameters."""

SYSTEMS: Final[Mapping[Variant, str]] = {"c": "coordinated", "d": "dynamic"}


def arguments(
    experiment: Experiment,
    scheme: PricedSettings,
    which: Variant,
    *,
    training_seconds: float,
    slope_seconds: float,
    data_dir: Path | None,
) -> Mapping[str, Any]:
    """Give what `learn` is called with, as JSON."""
    return {
        "tables": experiment.model_dump(exclude_none=True),
        "which": which,
        "scheme": as_json(scheme),
        "training_seconds": training_seconds,
        "slope_seconds": slope_seconds,
        "data_dir": None if data_dir is None else str(data_dir),
    }


def learn(
    *,
    tables: Mapping[str, Any],
    which: Variant,
    scheme: Mapping[str, Any],
    training_seconds: float,
    slope_seconds: float,
    data_dir: str | None,
) -> Mapping[str, Curve]:
    """Train an experiment's network in a variant, at a scheme's prices; give its curve by virtual seconds.

    Training takes as long as is said, whatever the number of images that are trained on here.
    """
    experiment = parse(tables)
    learners = cast(experiment, Path(data_dir) if data_dir else None)
    assert isinstance(experiment.system, Coordinated | Dynamic)
    members = experiment.system.visibility_threshold(experiment.workers)
    simulation = play(
        variant(which, members, _block(scheme)),
        scheme_of(scheme),
        learners.__getitem__,
        workers=experiment.workers,
        epochs=experiment.epochs,
        pace=Pace(training_seconds, slope_seconds, experiment.seed),
    )
    return {"curve": curve_of(simulation.records)}


def _block(scheme: Mapping[str, Any]) -> int:
    return BLOCK if scheme["name"] == "rlwe" else NARROW


def curve_of(events: Sequence[Mapping[str, Any]]) -> Curve:
    """Give the global model's accuracy by the second at which it was scored."""
    return [
        (event["seconds"], event["accuracy"])
        for event in events
        if event["kind"] == "evaluated" and event["party"] == MANAGER and event["model"] == "global"
    ]


def seconds_to(goal: float, curve: Curve) -> float:
    """Give when an accuracy was first reached, on the line between two epochs.

    Raises:
        MdlError: it never was.
    """
    for (before, low), (after, high) in pairwise([(0.0, 0.0), *curve]):
        if high >= goal:
            return before + (after - before) * (goal - low) / (high - low)
    best = max(accuracy for _, accuracy in curve)
    raise MdlError(f"{goal:.0%} accuracy was never reached, but {best:.1%}: more epochs are needed")


def race_for_real(setting: Setting, experiments: Mapping[Variant, Experiment]) -> Mapping[Variant, Curve]:
    """Run each variant with real processes, one after the other; give curves by seconds on the wall.

    Raises:
        MdlError: a run failed.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    points = {
        which: Point(SYSTEMS[which], each, {"system.type": SYSTEMS[which]})
        for which, each in experiments.items()
    }
    results = run_points(
        list(points.values()), setting.folder / "runs", mode=Real(), jobs=1, data_dir=setting.data_dir
    )
    if interrupted(results):
        raise KeyboardInterrupt
    for name, result in results.items():
        if not result.completed:
            raise MdlError(f"{name} {result.status}: {result.reason}")
    return {which: _metrics(results[point.name].folder) for which, point in points.items()}


def _metrics(run: Path) -> Curve:
    lines = (run / METRICS).read_text(encoding="utf-8").splitlines()
    return curve_of([json.loads(line) for line in lines])


def need(experiment: Experiment, data_dir: Path | None) -> None:
    """Make sure that the data is there before anything starts.

    Raises:
        DataUnavailable: it is not; says how to get it.
    """
    if (missing := missing_data(experiment.learning, data_dir)) is not None:
        raise DataUnavailable(missing)
