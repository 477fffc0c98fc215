"""Experiment files: TOML in, a checked and frozen `Experiment` out."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import numpy as np
import tomli_w
from annotated_types import Ge, Gt
from pydantic import ValidationError, field_validator, model_validator

from mdl.errors import ConfigError
from mdl.learning.privacy import NoRecordPrivacy
from mdl.learning.settings import LearningSettings
from mdl.mistakes import mend, sentences
from mdl.overrides import NOT_TOML, override
from mdl.party import MANAGER, PartyId
from mdl.settings import Settings
from mdl.system import Stop
from mdl.systems import AnySystem, Mutual, QuantisedMpc

_DELAYS = 3
"""Domain of the random delays (see `mdl.protocols.selection` for the others)."""

_PAUSES = 1000
"""So many delays a worker are drawn at least."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

OWN_AFFAIR: Final = ("torch_threads", "learning.data_dir", "learning.download", "system.timeout_seconds")
"""What each party of a run may set for itself."""

MAY_CHANGE: Final = (
    "epochs",
    "stop",
    "delay",
    "alone",
    "evaluate_every",
    "torch_threads",
    "system.timeout_seconds",
    "learning.data_dir",
    "learning.download",
)
"""What a resumed run may do otherwise than the run it takes up."""


class StopSettings(Settings):
    """`[stop]`: end the run early.

    Attributes:
        patience: epochs without improvement.
        metric: of the global model.
    """

    patience: Annotated[int, Ge(1)]
    metric: Literal["accuracy", "loss"] = "accuracy"


PerWorker: TypeAlias = float | list[float]
"""One number for all workers, or a list with one for each."""


class DelaySettings(Settings):
    """`[delay]`: workers that pause after each local epoch.

    Worker i's times are drawn from a normal distribution with mean ``mean_seconds`` + i * ``slope_seconds``;
    one below 0 is 0. They follow from the seed and the worker alone, so whatever the system, a worker's k-th
    epoch is as slow.

    Attributes:
        slope_seconds: by how much each worker's mean exceeds the last one's (the paper's N(5i, 1) has 5).
        mean_seconds: what all means begin with, or a list: each worker's.
        deviation_seconds: standard deviation, or a list: each worker's.
    """

    slope_seconds: Annotated[float, Ge(0)] | None = None
    mean_seconds: PerWorker | None = None
    deviation_seconds: PerWorker = 1.0

    @field_validator("mean_seconds", "deviation_seconds")
    @classmethod
    def _not_negative(cls, value: PerWorker | None) -> PerWorker | None:
        values = value if isinstance(value, list) else [value or 0.0]
        # In the types' union this would be told twice, as what is wrong with a number and with a list.
        if any(each < 0 for each in values):
            raise ValueError(f"should be at least 0, not {value!r}")
        return value

    @model_validator(mode="after")
    def _some_mean(self) -> "DelaySettings":
        if self.slope_seconds is None and self.mean_seconds is None:
            raise ValueError(
                "give slope_seconds (worker i waits i times that), mean_seconds (a number, or a list of each "
                "worker's), or both: they add up"
            )
        return self

    def problems(self, workers: int) -> Sequence[str]:
        """Say which lists are not as long as there are workers."""
        lists = {"mean_seconds": self.mean_seconds, "deviation_seconds": self.deviation_seconds}
        return [
            f"delay.{key}: {len(values)} values for {workers} workers"
            for key, values in lists.items()
            if isinstance(values, list) and len(values) != workers
        ]

    def seconds(self, seed: int, worker: PartyId, count: int) -> Sequence[float]:
        """Draw one worker's first `count` delays; fewer are the beginning of more."""
        mean = _of(worker, self.mean_seconds or 0.0) + worker * (self.slope_seconds or 0.0)
        rng = np.random.default_rng([_DELAYS, seed, worker])
        drawn = rng.normal(mean, _of(worker, self.deviation_seconds), count)
        return [float(delay) for delay in np.maximum(drawn, 0.0)]


def _of(worker: PartyId, values: float | list[float]) -> float:
    return values[worker - 1] if isinstance(values, list) else values


class Experiment(Settings):
    """A whole experiment file.

    Attributes:
        name: what the run folder is called after.
        seed: of all that is random and not secret: the same file with the same seed gives the same metrics.
        workers: n.
        epochs: how many at most.
        evaluate_every: score the workers' own models every so many epochs; 0 for only at the end.
        alone: at the end, also train each worker alone for as many epochs, for comparison.
        torch_threads: threads each party's PyTorch may use.
        stop: end early; see `StopSettings`.
        delay: slow workers; see `DelaySettings`.
        system: how to train; see `mdl list systems`.
        learning: what to train on which data.
    """

    name: str
    seed: Annotated[int, Ge(0)] = 1
    workers: Annotated[int, Ge(1)]
    epochs: Annotated[int, Ge(1)]
    evaluate_every: Annotated[int, Ge(0)] = 0
    alone: bool = False
    torch_threads: Annotated[int, Gt(0)] = 1
    stop: StopSettings | None = None
    delay: DelaySettings | None = None
    system: AnySystem
    learning: LearningSettings = LearningSettings()

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(
                "should be letters, digits, '.', '_' and '-', 64 at most, a letter or digit first, "
                f"not {name!r}"
            )
        return name

    def problems(self) -> Sequence[str]:
        """Say what cannot work, beyond single values."""
        late = self.delay.problems(self.workers) if self.delay else []
        found = [*self.system.problems(self.workers), *late]
        found += self._misfits()
        if isinstance(self.system, QuantisedMpc):
            found += _untrainable_in_secret(self.learning, self.workers)
        if isinstance(self.system, Mutual) and not isinstance(self.learning.privacy, NoRecordPrivacy):
            found.append(
                "learning.privacy: dp-sgd takes its steps on labels alone, and accounts for none on another "
                "model's opinions; leave it out"
            )
        if not found and self.stop and self.linked and not self.led:
            found.append(
                "stop: without a manager nobody can end the run for all; leave it out, and choose epochs"
            )
        return found

    def _misfits(self) -> list[str]:
        """Say why workers cannot have models of their own, if they are to and cannot."""
        models = self.learning.models
        if models is None:
            return []
        if not getattr(self.system, "own_models", False):
            return [
                f"learning.models: in {self.system.type} one network is trained by all; give learning.model"
            ]
        if len(models) != self.workers:
            return [f"learning.models: {len(models)} names for {self.workers} workers"]
        return []

    @property
    def linked(self) -> bool:
        """Whether any parties talk."""
        return bool(self.system.links(self.workers))

    @property
    def beside(self) -> str:
        """What party 0 is called: it has no data of its own. Empty if there is none."""
        here = MANAGER in self.system.roster(self.workers)
        return self.party_zero if here else ""

    @property
    def party_zero(self) -> str:
        """What party 0 is called, or would be if there were one."""
        return self.system.traits(self.workers).beside

    @property
    def led(self) -> bool:
        """Whether there is a manager, who counts the run's epochs and has the global model."""
        has = any(MANAGER in link for link in self.system.links(self.workers))
        return has and getattr(self.system, "leads", True)

    def stop_rule(self) -> Stop | None:
        """Give the rule to end early, if there is one."""
        return Stop(self.stop.patience, self.stop.metric) if self.stop else None

    def delays(self, worker: PartyId) -> Sequence[float]:
        """Give one worker's pauses, one an epoch; none for the manager.

        A worker that goes at its own pace may train for more epochs than the experiment's. After `_PAUSES`
        of them, or the experiment's epochs if they are more, it waits as in its first again.
        """
        count = max(self.epochs, _PAUSES)
        return self.delay.seconds(self.seed, worker, count) if self.delay and worker else ()

    def to_toml(self) -> str:
        """Write the experiment as a file that gives it back."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def load(path: Path, overrides: Sequence[str] = ()) -> tuple[Experiment, Sequence[str]]:
    """Read an experiment file.

    Args:
        path: the file.
        overrides: ``key.path=value`` each, in any order; the value as in TOML, or else taken for a string.

    Returns:
        The experiment, and a line for everything that was changed silently otherwise.

    Raises:
        ConfigError: names each problem's place, the value, and what is allowed.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors may put a mark before it
    except FileNotFoundError:
        raise ConfigError(["there is no such file"], str(path)) from None
    except IsADirectoryError:
        raise ConfigError(["is a folder; give an experiment file (TOML)"], str(path)) from None
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"], str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError(["is no text in UTF-8, hence no TOML"], str(path)) from None
    except NOT_TOML as error:
        raise ConfigError([f"is no valid TOML: {error}"], str(path)) from None
    notes = override(tables, overrides, Experiment)
    return parse(tables, str(path)), notes


def check_resumable(before: Experiment, now: Experiment) -> None:
    """Make sure that a run is taken up as what it was: its gradients and sets follow from its settings.

    Raises:
        ConfigError: a key differs that decides about them.
    """
    old, new = _flat(before.model_dump()), _flat(now.model_dump())
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    fixed = [key for key in changed if not key.startswith(MAY_CHANGE)]
    if "epochs" in changed and old.get("learning.privacy.epsilon") is not None:
        fixed.append("epochs")  # the noise was made for so many
    if fixed:
        raise ConfigError(
            [
                f"{key}: is {old.get(key)!r} in the run, which cannot go on with {new.get(key)!r}"
                for key in fixed
            ],
            "mdl run --resume",
        )


def agreed(experiment: Experiment) -> dict[str, str]:
    """Give what all parties of a run must have in common: every key that is not a party's own affair."""
    flat = _flat(experiment.model_dump())
    return {key: str(value) for key, value in flat.items() if key not in OWN_AFFAIR}


def _flat(tables: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        flat |= _flat(value, f"{place}{key}.") if isinstance(value, Mapping) else {f"{place}{key}": value}
    return flat


def parse(tables: Mapping[str, Any], source: str = "experiment") -> Experiment:
    """Check tables.

    Raises:
        ConfigError: as `load`; all problems at once, as far as one does not hide the other.
    """
    try:
        experiment = Experiment.model_validate(tables)
    except ValidationError:
        slips, mended = mend(tables, Experiment)
        raise ConfigError([*slips, *sentences(mended, Experiment), *_impossible(mended)], source) from None
    if problems := experiment.problems():
        raise ConfigError(problems, source)
    return experiment


def _impossible(tables: Mapping[str, Any]) -> Sequence[str]:
    """What cannot work in `tables`, if the parts that decide it are right whatever the others are."""
    decisive = {key: tables[key] for key in ("workers", "system", "delay") if key in tables}
    try:
        return Experiment.model_validate({"name": "any", "epochs": 1, **decisive}).problems()
    except ValidationError:
        return []


def _untrainable_in_secret(learning: LearningSettings, workers: int) -> list[str]:
    """Say what of local training has no counterpart where all parties train one network together."""
    found = []
    least = 1 << (workers - 1).bit_length()
    if learning.batch & (learning.batch - 1) or learning.batch < least:
        below = 1 << (learning.batch.bit_length() - 1)
        nearest = f"{below} or {2 * below}" if below >= least else str(least)
        found.append(
            f"learning.batch: {learning.batch}, but it must be a power of two, {least} or more: in secret a "
            "sum over a batch is divided by dropping binary digits, and each of the "
            f"{workers} owners puts in a row; take {nearest}"
        )
    if not isinstance(learning.privacy, NoRecordPrivacy):
        found.append("learning.privacy: no party sees gradients that it could add noise to; leave it out")
    return found
