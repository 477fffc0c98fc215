"""Experiment files: TOML in, a checked and frozen `Experiment` out."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tomli_w
from annotated_types import Ge, Gt
from pydantic import Field, StringConstraints, ValidationError, model_validator

from mdl.errors import ConfigError
from mdl.learning.settings import LearningSettings
from mdl.mistakes import sentences, table_at
from mdl.party import PartyId
from mdl.settings import Settings
from mdl.system import Stop
from mdl.systems import AnySystem

_DELAYS = 3
"""Domain of the random delays (see `mdl.protocols.selection` for the others)."""


class StopSettings(Settings):
    """`[stop]`: end the run early.

    Attributes:
        patience: epochs without improvement.
        metric: of the global model.
    """

    patience: Annotated[int, Ge(1)]
    metric: Literal["accuracy", "loss"] = "accuracy"


class DelaySettings(Settings):
    """`[delay]`: workers that pause after each local epoch, for a time drawn from a normal distribution, never below 0.

    Attributes:
        slope_seconds: worker i's mean is i times this (the paper's N(5i, 1) has slope 5).
        mean_seconds: or else: each worker's mean.
        deviation_seconds: standard deviation.
    """

    slope_seconds: Annotated[float, Ge(0)] | None = None
    mean_seconds: Annotated[list[Annotated[float, Ge(0)]], Field(min_length=1)] | None = None
    deviation_seconds: Annotated[float, Ge(0)] = 1.0

    @model_validator(mode="after")
    def _one_mean(self) -> "DelaySettings":
        if (self.slope_seconds is None) == (self.mean_seconds is None):
            raise ValueError(
                "give either slope_seconds (worker i waits i times that) or mean_seconds (a list)"
            )
        return self

    def seconds(self, seed: int, worker: PartyId, epochs: int) -> Sequence[float]:
        """Draw one worker's delays, one an epoch."""
        if self.mean_seconds is not None:
            mean = self.mean_seconds[worker - 1]
        else:
            assert self.slope_seconds is not None
            mean = self.slope_seconds * worker
        drawn = np.random.default_rng([_DELAYS, seed, worker]).normal(mean, self.deviation_seconds, epochs)
        return [float(delay) for delay in np.maximum(drawn, 0.0)]


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

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
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

    def problems(self) -> Sequence[str]:
        """Say what cannot work, beyond single values."""
        found = list(self.system.problems(self.workers))
        if (
            self.delay
            and self.delay.mean_seconds is not None
            and len(self.delay.mean_seconds) != self.workers
        ):
            found.append(
                f"delay.mean_seconds: {len(self.delay.mean_seconds)} values for {self.workers} workers"
            )
        return found

    def stop_rule(self) -> Stop | None:
        """Give the rule to end early, if there is one."""
        return Stop(self.stop.patience, self.stop.metric) if self.stop else None

    def delays(self, worker: PartyId) -> Sequence[float]:
        """Give one worker's pauses, one an epoch; none for the manager."""
        return self.delay.seconds(self.seed, worker, self.epochs) if self.delay and worker else ()

    def to_toml(self) -> str:
        """Write the experiment as a file that gives it back."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def load(path: Path, overrides: Sequence[str] = ()) -> tuple[Experiment, Sequence[str]]:
    """Read an experiment file.

    Args:
        path: the file.
        overrides: ``key.path=value`` each; the value as in TOML, or else taken for a string.

    Returns:
        The experiment, and a line for everything that was changed silently otherwise.

    Raises:
        ConfigError: names each problem's place, the value, and what is allowed.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"there is no file {path}"], str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot be read: {error}"], str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"is no valid TOML: {error}"], str(path)) from None
    notes = _override(tables, overrides)
    return parse(tables, str(path)), notes


def parse(tables: Mapping[str, Any], source: str = "experiment") -> Experiment:
    """Check tables.

    Raises:
        ConfigError: as `load`.
    """
    try:
        experiment = Experiment.model_validate(tables)
    except ValidationError as error:
        raise ConfigError(sentences(error, Experiment), source) from None
    if problems := experiment.problems():
        raise ConfigError(problems, source)
    return experiment


def _override(tables: dict[str, Any], overrides: Sequence[str]) -> list[str]:
    """Apply ``--set``. A new `type` comes first: it decides which keys its table may have."""
    changes = [_change(override) for override in overrides]
    notes = []
    for keys, value in sorted(changes, key=lambda change: (change[0][-1] != "type", len(change[0]))):
        table = tables
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigError([f"--set {'.'.join(keys)}: {key} is no table"], "command line")
        if keys[-1] == "type" and table.get("type") != value:
            table["type"] = value
            notes += _drop_unknown(tables, keys[:-1], table)
        table[keys[-1]] = value
    return notes


def _change(override: str) -> tuple[list[str], Any]:
    path, separator, text = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise ConfigError(
            [f"--set {override}: write it as key.path=value, e.g. system.visibility=0.5"], "command line"
        )
    try:
        return keys, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return keys, text


def _drop_unknown(tables: Mapping[str, Any], place: Sequence[str], table: dict[str, Any]) -> list[str]:
    """A table whose type was replaced loses the keys that the new type does not know."""
    settings = table_at(Experiment, place, tables)
    if settings is None:
        return []
    dropped = [key for key in table if key not in settings.model_fields]
    for key in dropped:
        del table[key]
    if not dropped:
        return []
    name = ".".join(place)
    return [f"{name}.type is now {table['type']!r}: dropped {', '.join(f'{name}.{key}' for key in dropped)}"]
