"""What a run of secure quantised training will cost, from a step of all parties that is tried in memory."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mdl.config import Experiment
from mdl.learning.sizes import Sized
from mdl.progress import human_bytes, human_seconds
from mdl.schemes.randomness import SystemRandomness
from mdl.systems import QuantisedMpc

if TYPE_CHECKING:
    from mdl.mpc.costs import StepCosts

SEALING_SECONDS_A_BYTE: Final = 1.5e-9
"""Processor time of both ends: encrypt, send, receive, decrypt (benchmarks/bench_rounds.py)."""

ROUND_SECONDS: Final = 60e-6
"""How long a small message takes between two processes of one machine (benchmarks/bench_rounds.py)."""


def forecast(experiment: Experiment, sized: Sized) -> list[RenderableType]:
    """Say what a step, an epoch and the whole run cost; and a step's phases, as a table.

    Args:
        experiment: of secure quantised training.
        sized: what it trains.
    """
    from mdl.mpc.costs import Plan, tried  # brings in torch

    system, learning = experiment.system, experiment.learning
    assert isinstance(system, QuantisedMpc)
    plan = Plan(
        network=sized.network,
        example=sized.shape,
        classes=sized.classes,
        recipe=learning.recipe,
        security=system.security,
        holders=experiment.workers,
        rounding=system.rounding,
    )
    costs = tried(plan, SystemRandomness())
    return [*map(Text, _said(experiment, costs)), _phases(costs)]


def _said(experiment: Experiment, costs: "StepCosts") -> Iterator[str]:
    sent, parties = sum(costs.sent_bytes.values()), len(costs.sent_bytes)
    processors = min(parties, os.cpu_count() or 1)
    computing = costs.cpu_seconds + SEALING_SECONDS_A_BYTE * sent
    seconds = computing / processors + ROUND_SECONDS * costs.rounds
    batch, epochs, steps = experiment.learning.batch, experiment.epochs, _steps(experiment)
    yield (
        f"A step of {batch} examples sends {human_bytes(sent)} over all parties in {costs.rounds} rounds. "
        f"One was tried here, in memory: {costs.cpu_seconds:.3g} s of processor time over all parties. With "
        f"sealing and sending, about {seconds:.2g} s on {processors} processors of this machine."
    )
    if steps is not None:
        yield (
            f"An epoch has {steps:,} steps: {human_bytes(steps * sent)}, about "
            f"{human_seconds(steps * seconds)}. All epochs, {epochs}: {human_bytes(epochs * steps * sent)}, "
            f"about {human_seconds(epochs * steps * seconds)}; scoring comes on top."
        )


def _steps(experiment: Experiment) -> int | None:
    """Give the steps of an epoch; None where only the data tells."""
    learning = experiment.learning
    each = learning.examples_each(experiment.workers)
    if learning.local_steps is not None:
        return learning.local_steps
    return None if each is None else max(1, each * experiment.workers // learning.batch)


def _phases(costs: "StepCosts") -> Table:
    table = Table("phase of a step", box=None, pad_edge=False)
    for title in ("rounds", "sent over all"):
        table.add_column(title, justify="right")
    for name, phase in costs.phases.items():
        table.add_row(name, str(phase.rounds), human_bytes(phase.sent_bytes))
    return table
