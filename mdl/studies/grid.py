"""From an experiment file and ``--grid key=a,b,c`` to a study's points: every combination of the values."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mdl.config import Experiment, load
from mdl.errors import ConfigError
from mdl.studies.points import Point, point_name
from mdl.studies.problems import told

_COMMAND_LINE: Final = "command line"

_QUOTES: Final = "\"'"
_OPENING, _CLOSING = "[{", "]}"


@dataclass(frozen=True)
class Axis:
    """A key and the values that a study gives it, as written; each is read as ``--set`` reads it."""

    key: str
    values: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """One experiment with every combination of some values.

    Attributes:
        file: the experiment.
        overrides: ``key.path=value`` each, for all points.
        axes: what varies.
    """

    file: Path
    overrides: Sequence[str]
    axes: Sequence[Axis]

    @property
    def noun(self) -> str:
        """See `Source`."""
        return "point"

    def points(self) -> tuple[Sequence[Point], Sequence[str]]:
        """See `Source`."""
        return grid_points(self.file, self.overrides, self.axes)

    def describe(self) -> Mapping[str, Any]:
        """See `Source`."""
        return {
            "command": "sweep",
            "file": str(self.file),
            "set": list(self.overrides),
            "grid": {axis.key: list(axis.values) for axis in self.axes},
        }

    def compared(self, folder: Path, points: Sequence[Point]) -> Sequence[Path]:
        """All that is in the study, of earlier sweeps too."""
        del points
        return [folder]


def parse_axes(texts: Sequence[str]) -> Sequence[Axis]:
    """Read ``key.path=a,b,c`` each.

    Commas within quotes, brackets and braces belong to the value: ``delay.mean_seconds=[1,2],[5,6]`` has two.

    Raises:
        ConfigError: one is not written so, or two have the same key.
    """
    problems: list[str] = []
    axes: list[Axis] = []
    for text in texts:
        key, separator, values = text.partition("=")
        key, parts = key.strip(), split_values(values)
        if not separator or not key or not all(parts):
            problems.append(f"--grid {text}: write it as key.path=a,b,c, e.g. system.visibility=0.5,0.75")
        elif any(axis.key == key for axis in axes):
            problems.append(f"--grid {text}: {key} is varied already; give all its values at once")
        else:
            axes.append(Axis(key, parts))
    if problems:
        raise ConfigError(problems, _COMMAND_LINE)
    return axes


def split_values(text: str) -> Sequence[str]:
    """Split at the commas that are in no quotes, brackets or braces; spaces around a value are dropped."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if character == "," and not depth and not quote:
            parts.append("")
            continue
        parts[-1] += character
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and (depth or parts[-1].strip() == character):
            quote = character  # within a word it is an apostrophe
        else:
            depth = max(0, depth + (character in _OPENING) - (character in _CLOSING))
    return [part.strip() for part in parts]


def grid_points(
    file: Path, overrides: Sequence[str], axes: Sequence[Axis]
) -> tuple[Sequence[Point], Sequence[str]]:
    """Make the points of a study: the Cartesian product of its axes, the last one varying fastest.

    Args:
        file: the experiment.
        overrides: ``key.path=value`` each, for all points.
        axes: what varies.

    Returns:
        The points, and a line for everything that was changed silently otherwise.

    Raises:
        ConfigError: some cannot work; says which, by their values. Or two are the same.
    """
    points: list[Point] = []
    notes: dict[str, None] = {}
    problems: dict[str, list[str]] = {}
    combinations = list(itertools.product(*(axis.values for axis in axes)))
    for values in combinations:
        chosen = [f"{axis.key}={value}" for axis, value in zip(axes, values, strict=True)]
        try:
            experiment, said = load(file, [*overrides, *chosen])
        except ConfigError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(", ".join(chosen))
            continue
        notes |= dict.fromkeys(said)
        settings = {axis.key: _resolved(experiment, axis.key) for axis in axes}
        points.append(Point(point_name(settings), experiment, settings))
    if problems:
        raise ConfigError(told(problems, len(combinations), "at"), str(file))
    _refuse_equal(points)
    return points, list(notes)


def _resolved(experiment: Experiment, key: str) -> Any:
    """Give a key's value as it was understood: ``0.50`` and ``0.5`` are one setting."""
    value: Any = experiment.model_dump(exclude_none=True)
    for part in key.split("."):
        value = value[part]
    return value


def _refuse_equal(points: Sequence[Point]) -> None:
    names = [point.name for point in points]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError([f"--grid: {name} comes twice" for name in twice], _COMMAND_LINE)
