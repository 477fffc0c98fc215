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

TURN_SECONDS: Final = 100e-6
"""Processor time of a party in a round in which it waits, beyond computing: calls, and caches that others
have used meanwhile. So much more, 45 to 130 µs, did real processes take than a step in memory (digits-mlp;
rep3, rep4, dealer)."""


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
    examples = _examples(experiment, sized.examples)
    said = [*map(Text, _said(experiment, costs, _steps(experiment, examples)))]
    if examples is not None and examples < learning.batch:
        said.append(Text(_repeated(examples, learning.batch), style="yellow"))
    return [*said, _phases(costs)]


def _repeated(examples: int, batch: int) -> str:
    return (
        f"Warning: all workers together have {examples:,} examples, fewer than a batch of {batch:,}: some "
        "are repeated in every step; take a smaller learning.batch"
    )


def _said(experiment: Experiment, costs: "StepCosts", steps: int | None) -> Iterator[str]:
    sent, parties = sum(costs.sent_bytes.values()), len(costs.sent_bytes)
    processors = min(parties, os.cpu_count() or 1)
    busy = costs.cpu_seconds + SEALING_SECONDS_A_BYTE * sent + TURN_SECONDS * costs.turns
    seconds = busy / processors + ROUND_SECONDS * costs.waits
    batch, epochs = experiment.learning.batch, experiment.epochs
    yield (
        f"A step of {batch} examples sends {human_bytes(sent)} over all parties in {costs.rounds} rounds. "
        f"One was tried here, in memory: {costs.cpu_seconds:.3g} s of processor time over all parties; with "
        f"sealing, sending and changing from one party to another {busy:.3g} s."
    )
    yield (
        f"So a step takes about {seconds:.2g} s, if all {parties} parties run on this machine and nothing "
        f"else does: they share {processors} of its processors. Where each has a machine of its own, links "
        f"decide: a step waits {costs.waits} times for messages of others."
    )
    if steps is not None:
        yield (
            f"An epoch has {steps:,} step{'s' * (steps != 1)}: {human_bytes(steps * sent)}, about "
            f"{human_seconds(steps * seconds)}. All epochs, {epochs}: {human_bytes(epochs * steps * sent)}, "
            f"about {human_seconds(epochs * steps * seconds)}; the start and scoring come on top."
        )


def _steps(experiment: Experiment, examples: int | None) -> int | None:
    """Give the steps of an epoch; None where only the data tells.

    Args:
        experiment: what is run.
        examples: of all workers together, if that is known.
    """
    learning = experiment.learning
    if learning.local_steps is not None:
        return learning.local_steps
    return None if examples is None else max(1, examples // learning.batch)


def _examples(experiment: Experiment, read: int | None) -> int | None:
    """Give how many examples all workers have together; None where only the data tells.

    Args:
        experiment: what is run.
        read: as many, if the data has been read.
    """
    each = experiment.learning.examples_each(experiment.workers)
    return read if read is not None or each is None else each * experiment.workers


def _phases(costs: "StepCosts") -> Table:
    table = Table("phase of a step", box=None, pad_edge=False)
    for title in ("rounds", "sent over all"):
        table.add_column(title, justify="right")
    for name, phase in costs.phases.items():
        table.add_row(name, str(phase.rounds), human_bytes(phase.sent_bytes))
    return table
