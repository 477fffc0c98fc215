"""What an epoch of SMuLe will cost, from questions that are tried in memory, on images of zeros."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mdl.config import Experiment
from mdl.learning.sizes import Sized
from mdl.progress import human_bytes
from mdl.schemes.randomness import SystemRandomness
from mdl.systems import Mutual
from mdl.systems.mutual.opinions import due

if TYPE_CHECKING:
    from mdl.mpc.blind.costs import Costs

_TRIED: Final = 100
"""Questions of each worker that are tried where the number of examples is not known."""


def forecast(experiment: Experiment, models: Mapping[str, Sized]) -> list[RenderableType]:
    """Say what the questions of an epoch cost; nothing if a network cannot be asked.

    Args:
        experiment: of SMuLe.
        models: of the workers, by name.
    """
    from mdl.mpc.blind.costs import tried  # brings in torch
    from mdl.mpc.blind.plan import compares
    from mdl.mpc.blind.translation import plan_of, problems

    system = experiment.system
    assert isinstance(system, Mutual)
    sized = [models[experiment.learning.own(worker).model or ""] for worker in (1, 2)]
    networks = [each.network for each in sized]
    found = [problem for network in networks for problem in problems(network)]
    if not found and not system.dealt and any(compares(plan_of(network)) for network in networks):
        found = ['learning.model: a network compares, which needs system.randomness = "dealer"']
    if found:
        return [Text(f"The run will be refused. {problem}", style="yellow") for problem in found]
    rows = _questions(experiment, system, sized[0].examples)
    costs = tried(
        networks, sized[0].shape, rows or _TRIED, system.answers, dealt=system.dealt, rng=SystemRandomness()
    )
    return [*map(Text, _said(experiment, rows, costs)), _phases(costs)]


def _questions(experiment: Experiment, system: Mutual, examples: int | None) -> int | None:
    """Give how many questions each worker asks in an epoch; None where only the data tells."""
    each = experiment.learning.examples_each(experiment.workers)
    if each is None and examples is not None:
        each = examples // experiment.workers
    return None if each is None else due(2, each, refresh=system.refresh, answered=0, limit=None)


def _said(experiment: Experiment, rows: int | None, costs: "Costs") -> Iterator[str]:
    asked = rows or _TRIED
    whose = f"about {asked:,} of its images" if rows else f"about, for example, {asked:,} of its images"
    yield (
        f"In an epoch each worker asks {whose}: {human_bytes(costs.sent_bytes)} over all parties in "
        f"{costs.rounds} rounds, however many batches it trains on. That was tried here, in memory: "
        f"{costs.cpu_seconds:.2g} s of processor time over all parties, without sealing and sending."
    )
    if rows:
        epochs = experiment.epochs - 1
        yield (
            f"In all epochs but the first, {epochs}: {human_bytes(epochs * costs.sent_bytes)}, unless a "
            "limit of answers is reached."
        )


def _phases(costs: "Costs") -> Table:
    table = Table("part of an epoch's questions", box=None, pad_edge=False)
    for title in ("rounds", "sent by workers", "sent by the dealer"):
        table.add_column(title, justify="right")
    for name, phase in costs.phases.items():
        by_workers = sum(phase.by_sender.get(worker, 0) for worker in (0, 1))
        sent = map(human_bytes, (by_workers, phase.sent_bytes - by_workers))
        table.add_row(name, str(phase.rounds), *sent)
    return table
