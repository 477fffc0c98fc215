"""Several experiment files on the same data: the points of `mdl compare`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from mdl.config import Experiment, load
from mdl.errors import ConfigError
from mdl.report.naming import flatten
from mdl.report.runs import is_run
from mdl.studies.points import Point, point_name, written
from mdl.studies.problems import told

TRAINING: Final = (
    "learning_rate",
    "batch",
    "optimiser",
    "momentum",
    "local_steps",
    "privacy",
    "download",
)
"""Keys of `[learning]` that say how to train. All others say what on which data, and must agree."""

WATCHING: Final = ("evaluate_every",)
"""Keys that say how training is watched: where they differ, nothing else does."""

LONGEST_NAME: Final = 60
"""Characters of an experiment's name, that leave room for a number behind it."""

_COMMAND: Final = "mdl compare"

_UNSET: Final = "none"

_Settings: TypeAlias = Callable[[Experiment], Mapping[str, Any]]
"""Gives those settings of an experiment that are compared."""

_Values: TypeAlias = Mapping[str, Mapping[str, Sequence[str]]]
"""Of each key its values, as written, and of each value the files that have it."""


@dataclass(frozen=True)
class Several:
    """Experiments that are to be compared.

    Attributes:
        files: the experiments.
        overrides: ``key.path=value`` each, for all of them.
        seeds: each experiment is run with each; none for the files' own.
    """

    files: Sequence[Path]
    overrides: Sequence[str] = ()
    seeds: Sequence[int] = ()

    @property
    def noun(self) -> str:
        """See `Source`."""
        return "run" if self.seeds else "experiment"

    def points(self) -> tuple[Sequence[Point], Sequence[str]]:
        """See `Source`. Experiments of one name get numbers behind it.

        Raises:
            ConfigError: one cannot work, a file is given twice, or they do not share their data.
        """
        _refuse_few(self.files)
        experiments, notes = self._load()
        if problems := self._unlike(experiments, data_settings):
            raise ConfigError([*problems, "only what is learnt from the same data can be compared"], _COMMAND)
        notes = [
            *notes,
            *(f"not the same in all: {line}" for line in self._unlike(experiments, _training_settings)),
        ]
        named = zip(
            _numbered([each.name for each in experiments.values()]), experiments.values(), strict=True
        )
        renamed = [experiment.model_copy(update={"name": name}) for name, experiment in named]
        return [point for each in renamed for point in self._with_seeds(each)], notes

    def describe(self) -> Mapping[str, Any]:
        """See `Source`."""
        return {
            "command": "compare",
            "files": [str(file) for file in self.files],
            "set": list(self.overrides),
            "seeds": list(self.seeds),
        }

    def compared(self, folder: Path, points: Sequence[Point]) -> Sequence[Path]:
        """The runs asked for, in this order: others in the folder may be of other data."""
        return [folder / point.name for point in points if is_run(folder / point.name)]

    def _load(self) -> tuple[Mapping[str, Experiment], Sequence[str]]:
        """Read all files; what is wrong with any of them is told at once."""
        experiments: dict[str, Experiment] = {}
        notes: dict[str, None] = {}
        problems: dict[str, list[str]] = {}
        seed = [f"seed={self.seeds[0]}"] if self.seeds else []
        for file in self.files:
            try:
                experiments[str(file)], said = load(file, [*self.overrides, *seed])
            except ConfigError as error:
                for problem in error.problems:
                    problems.setdefault(problem, []).append(str(file))
                continue
            notes |= dict.fromkeys(f"{file}: {line}" for line in said)
        if problems:
            lines = [*told(problems, len(self.files), "in")]
            if self.overrides and any(len(where) < len(self.files) for where in problems.values()):
                lines.append("--set holds for all files; what only some systems have is set in their files")
            raise ConfigError(lines, _COMMAND)
        return experiments, list(notes)

    def _unlike(self, experiments: Mapping[str, Experiment], settings: _Settings) -> Sequence[str]:
        """List the settings that are not the same in all: the key, each value, where, and how to mend it."""
        found = _other(experiments, settings)
        common = self._common(found, settings)
        lines = []
        for key, files in found.items():
            values = "; ".join(f"{value} in {', '.join(names)}" for value, names in files.items())
            mended = f" (for all: --set {key}={common[key]})" if key in common else ""
            lines.append(f"{key}: {values}{mended}")
        return lines

    def _common(self, found: _Values, settings: _Settings) -> Mapping[str, str]:
        """Find values that every file can have: those of one file, if they make all agree, or key by key."""
        for file in map(str, self.files):
            of_file = {
                key: value
                for key, files in found.items()
                for value, names in files.items()
                if file in names and value != _UNSET
            }
            changed = self._changed(of_file)
            if changed and not _other(changed, settings):
                return of_file
        common: dict[str, str] = {}
        for key, files in found.items():
            working = (value for value in files if value != _UNSET and self._changed({key: value}))
            if (value := next(working, None)) is not None:
                common[key] = value
        return common

    def _changed(self, settings: Mapping[str, str]) -> Mapping[str, Experiment] | None:
        """Read all files with these settings for all; None if that is wrong for one."""
        changes = [*self.overrides, *(f"{key}={value}" for key, value in settings.items())]
        try:
            return {str(file): load(file, changes)[0] for file in self.files}
        except ConfigError:
            return None

    def _with_seeds(self, experiment: Experiment) -> Sequence[Point]:
        if not self.seeds:
            return [Point(experiment.name, experiment, {"name": experiment.name})]
        return [
            Point(
                f"{experiment.name}_{point_name({'seed': seed})}",
                experiment.model_copy(update={"seed": seed}),
                {"name": experiment.name, "seed": seed},
            )
            for seed in self.seeds
        ]


def parse_seeds(text: str) -> Sequence[int]:
    """Read seeds, as ``1,2,3``.

    Raises:
        ConfigError: they are not written so, or one comes twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ConfigError([f"--seeds {text}: write them as 1,2,3"], _COMMAND)
    seeds = [int(part) for part in parts]
    if len(set(seeds)) < len(seeds):
        raise ConfigError([f"--seeds {text}: one comes twice"], _COMMAND)
    return seeds


def data_settings(experiment: Experiment) -> Mapping[str, Any]:
    """Give what decides which model is trained on which examples, and who holds them."""
    learning = experiment.learning
    settings = learning.model_dump(exclude=set(TRAINING))
    # What is left out means the same as what it stands for.
    settings["sample"] = learning.sampled_fraction if learning.split == "sample" else None
    settings["shards"] = learning.shards_each if learning.split == "shards" else None
    settings["skew"] = learning.skew_of_own if learning.split == "classes" else None
    return {
        "workers": experiment.workers,
        "seed": experiment.seed,
        **{f"learning.{key}": value for key, value in settings.items()},
    }


def _training_settings(experiment: Experiment) -> Mapping[str, Any]:
    settings = experiment.model_dump(exclude={"name", "system", *WATCHING})
    return {key: value for key, value in flatten(settings) if key not in data_settings(experiment)}


def _other(experiments: Mapping[str, Experiment], settings: _Settings) -> _Values:
    """Give the settings that are not the same in all experiments: of each key its values, and the files."""
    found = {file: settings(experiment) for file, experiment in experiments.items()}
    other: dict[str, Mapping[str, Sequence[str]]] = {}
    for key in dict.fromkeys(key for each in found.values() for key in each):
        files: dict[str, list[str]] = {}
        for file, each in found.items():
            value = each.get(key)
            files.setdefault(_UNSET if value is None else written(value), []).append(file)
        if len(files) > 1:
            other[key] = files
    return other


def _refuse_few(files: Sequence[Path]) -> None:
    whole = [file.resolve() for file in files]
    twice = sorted({str(file) for file, each in zip(files, whole, strict=True) if whole.count(each) > 1})
    if twice:
        raise ConfigError([f"{file} is given twice" for file in twice], _COMMAND)
    if len(files) < 2:
        raise ConfigError(["give two experiment files or more"], _COMMAND)


def _numbered(names: Sequence[str]) -> Sequence[str]:
    """Put numbers behind names that came before."""
    found: list[str] = []
    for name in names:
        number, unlike = 1, name
        while unlike in found or (number == 1 and name in found):
            number += 1
            unlike = f"{name[:LONGEST_NAME]}-{number}"
        found.append(unlike)
    return found
