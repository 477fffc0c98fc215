"""All figures that `mdl reproduce` knows, in the paper's order."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from mdl.errors import ConfigError
from mdl.reproduction.communication import COMMUNICATION
from mdl.reproduction.encryption import FIGURE_5A, FIGURE_5B
from mdl.reproduction.figure import Figure
from mdl.reproduction.learning_accuracy import ACCURACY
from mdl.reproduction.learning_noise import FIGURE_6
from mdl.reproduction.learning_visibility import FIGURE_7A
from mdl.reproduction.missing import MISSING_RATE
from mdl.reproduction.scalability import FIGURE_9
from mdl.reproduction.theorem_1 import THEOREM_1
from mdl.reproduction.variants import FIGURE_8A, FIGURE_8B
from mdl.reproduction.visibility_time import FIGURE_7B

ALL: Final = "all"

FIGURES: Final[Mapping[str, Figure]] = {
    figure.name: figure
    for figure in (
        FIGURE_5A,
        FIGURE_5B,
        FIGURE_6,
        FIGURE_7A,
        FIGURE_7B,
        FIGURE_8A,
        FIGURE_8B,
        FIGURE_9,
        MISSING_RATE,
        THEOREM_1,
        COMMUNICATION,
        ACCURACY,
    )
}

QUICK_MINUTES: Final[Mapping[str, int]] = {
    FIGURE_5A.name: 1,
    FIGURE_5B.name: 1,
    FIGURE_6.name: 3,
    FIGURE_7A.name: 2,
    FIGURE_7B.name: 1,
    FIGURE_8A.name: 2,
    FIGURE_8B.name: 1,
    FIGURE_9.name: 1,
    MISSING_RATE.name: 1,
    THEOREM_1.name: 1,
    COMMUNICATION.name: 1,
    ACCURACY.name: 2,
}
"""What `--quick` takes on two cores, rounded up: measured on an AMD EPYC, November 2026."""


def known_networks() -> Sequence[str]:
    """Give the networks that figures can be restricted to."""
    return list(dict.fromkeys(name for figure in FIGURES.values() for name in figure.networks))


def chosen_networks(names: Sequence[str]) -> Sequence[str]:
    """Give these names back.

    Raises:
        ConfigError: one is none of `known_networks`.
    """
    problems = [
        f"--network {name}: there are {', '.join(known_networks())}"
        for name in names
        if name not in known_networks()
    ]
    if problems:
        raise ConfigError(problems, "mdl reproduce")
    return names


def chosen(names: Sequence[str]) -> Sequence[Figure]:
    """Give the figures of these names, in the paper's order; all of them for ``all``.

    Raises:
        ConfigError: a name is none of `FIGURES`.
    """
    problems = []
    for name in names:
        if name != ALL and name not in FIGURES:
            parts = [each for each in FIGURES if each.startswith(name)]
            near = parts or get_close_matches(name.lower().removeprefix("figure-"), FIGURES, 1)
            guess = f" (did you mean {' or '.join(near)}?)" if near else ""
            problems.append(f"{name!r} is no figure{guess}: there are {', '.join(FIGURES)}, and all")
    if problems:
        raise ConfigError(problems, "mdl reproduce")
    return [figure for figure in FIGURES.values() if ALL in names or figure.name in names]
